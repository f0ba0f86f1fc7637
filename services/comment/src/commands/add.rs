use std::ops;

use command_service::Others;
use contracts::{
    article::{self, ArticleEvent, ArticleRefusal},
    comment::{AddComment, CommentAdded, CommentEvent, CommentRefusal, CommentState, MAX_TEXT},
};
use eventsourcing::{
    Actor, AggregateId, Command, CommandId, Decide, FieldError, Refusal, StreamId, UserId,
};
use messaging::ServiceError;
use serde::{Deserialize, Serialize};

use crate::domain::Comment;

/// The article that a comment is on, when the comment is decided.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Article {
    /// There is none.
    #[default]
    Unknown,
    /// It was taken down.
    Deleted,
    /// It is there.
    Live {
        /// Its title.
        title: String,
        /// Its author.
        author: UserId,
    },
}

/// The command, and the article that it is about. Its JSON is that of the command: a repeat is one after the article is gone, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct WithArticle {
    command: AddComment,
    #[serde(skip)]
    article: Article,
}

impl ops::Deref for WithArticle {
    type Target = AddComment;

    fn deref(&self) -> &AddComment {
        &self.command
    }
}

impl Command for WithArticle {
    const CONTEXT: &'static str = AddComment::CONTEXT;
    const VERB: &'static str = AddComment::VERB;
    const CREATES: bool = AddComment::CREATES;
    type Output = CommentState;

    fn aggregate_id(&self, id: CommandId) -> AggregateId {
        self.command.aggregate_id(id)
    }
}

/// `command` with the article as the stream of events has it now: each of its events says whose it is and what it is called.
pub(crate) async fn with_article(
    command: AddComment,
    others: Others,
) -> Result<WithArticle, ServiceError> {
    let stream = StreamId::new(article::CONTEXT, command.article_id);
    let article = match others.last(&stream).await? {
        None => Article::Unknown,
        Some(last) => {
            // An event of a newer release: that one can decide, and so can this one once it is replaced.
            let last = last.decode::<ArticleEvent>().map_err(|_| ServiceError::Unavailable)?;
            let author = last.author_id().clone();
            match last {
                ArticleEvent::Created(event) => Article::Live { title: event.title, author },
                ArticleEvent::Updated(event) => Article::Live { title: event.title, author },
                ArticleEvent::Deleted(_) => Article::Deleted,
            }
        }
    };
    Ok(WithArticle { command, article })
}

impl Decide<WithArticle> for Comment {
    type Refusal = Refusal;

    fn decide(&self, command: &WithArticle, actor: &Actor) -> Result<Vec<CommentEvent>, Refusal> {
        check(&command.text)?;
        let (article_title, article_author_id) = match &command.article {
            Article::Unknown => return Err(ArticleRefusal::NotFound.into()),
            Article::Deleted => return Err(ArticleRefusal::Deleted.into()),
            Article::Live { title, author } => (title.clone(), author.clone()),
        };
        if self.state().is_some() {
            return Err(CommentRefusal::AlreadyExists.into());
        }
        let added = CommentAdded {
            article_id: command.article_id,
            article_title,
            article_author_id,
            author_id: actor.user_id.clone(),
            text: command.text.clone(),
        };
        Ok(vec![added.into()])
    }
}

/// The rule about texts.
fn check(text: &str) -> Result<(), CommentRefusal> {
    let length = text.chars().count();
    let detail = if !(1..=MAX_TEXT).contains(&length) {
        format!("must be 1 to {MAX_TEXT} characters long, not {length}")
    } else if text.trim().is_empty() {
        "must not be only white space".to_owned()
    } else if text.contains('\0') {
        "must not have the character U+0000".to_owned()
    } else {
        return Ok(());
    };
    Err(CommentRefusal::Invalid(vec![FieldError::new("text", detail)]))
}

#[cfg(test)]
mod tests {
    use eventsourcing::{CommandEnvelope, testing::given};

    use super::*;
    use crate::domain::testing::{added, ann, article_id, bob};

    fn add(text: &str, article: Article) -> WithArticle {
        WithArticle {
            command: AddComment { article_id: article_id(), text: text.to_owned() },
            article,
        }
    }

    fn live() -> Article {
        Article::Live { title: "T".to_owned(), author: ann().user_id }
    }

    #[test]
    fn a_comment_belongs_to_its_sender_and_names_the_article() {
        given::<Comment>([]).when(&add("Yes", live()), &bob()).then([added()]);
    }

    #[test]
    fn an_article_must_be_there() {
        for (article, refusal) in [
            (Article::Unknown, ArticleRefusal::NotFound),
            (Article::Deleted, ArticleRefusal::Deleted),
        ] {
            given::<Comment>([]).when(&add("Yes", article), &bob()).then_refused(refusal.into());
        }
    }

    #[test]
    fn a_text_has_a_length_and_something_to_read() {
        for text in ["", " \n", "a\0b", &"x".repeat(MAX_TEXT + 1)] {
            let decided = Decide::decide(&Comment::default(), &add(text, live()), &bob());
            let refusal = decided.expect_err("refused");
            assert_eq!(
                (refusal.code.as_ref(), refusal.errors[0].field.as_ref()),
                ("invalid-input", "text")
            );
        }
        let longest = "🦀".repeat(MAX_TEXT);
        assert!(Decide::decide(&Comment::default(), &add(&longest, live()), &bob()).is_ok());
    }

    #[test]
    fn the_article_changes_nothing_about_a_repeat() {
        let fingerprint =
            |article| CommandEnvelope::new(bob(), add("Yes", article)).fingerprint().expect("JSON");
        assert_eq!(fingerprint(live()), fingerprint(Article::Deleted));
        let plain = CommandEnvelope::new(bob(), add("Yes", live()).command);
        assert_eq!(plain.fingerprint().expect("JSON"), fingerprint(live()));
    }
}
