use contracts::article::{ArticleCreated, ArticleEvent, ArticleRefusal, CreateArticle};
use eventsourcing::{Actor, Decide};

use crate::domain::{Article, text};

impl Decide<CreateArticle> for Article {
    type Refusal = ArticleRefusal;

    fn decide(
        &self,
        command: &CreateArticle,
        actor: &Actor,
    ) -> Result<Vec<ArticleEvent>, ArticleRefusal> {
        text::check(&command.title, &command.content)?;
        if self.view().is_some() {
            return Err(ArticleRefusal::AlreadyExists);
        }
        let event = ArticleCreated {
            title: command.title.clone(),
            content: command.content.clone(),
            author_id: actor.user_id.clone(),
        };
        Ok(vec![event.into()])
    }
}

#[cfg(test)]
mod tests {
    use eventsourcing::{FieldError, testing::given};

    use super::*;
    use crate::domain::testing::{ann, bob, created};

    fn create(title: &str, content: &str) -> CreateArticle {
        CreateArticle { title: title.to_owned(), content: content.to_owned() }
    }

    #[test]
    fn an_article_belongs_to_whoever_creates_it() {
        given::<Article>([]).when(&create("T", "C"), &bob()).then([ArticleCreated {
            title: "T".to_owned(),
            content: "C".to_owned(),
            author_id: bob().user_id,
        }
        .into()]);
    }

    #[test]
    fn text_is_kept_as_it_is() {
        let (title, content) = (" “T”\u{200b} 🦀 ", "\r\n\tC  ");
        given::<Article>([]).when(&create(title, content), &ann()).then([ArticleCreated {
            title: title.to_owned(),
            content: content.to_owned(),
            author_id: ann().user_id,
        }
        .into()]);
    }

    #[test]
    fn every_bad_field_is_named() {
        let refusal = ArticleRefusal::Invalid(vec![
            FieldError::new("title", "must not be only white space"),
            FieldError::new("content", "must be 1 to 10000 characters long, not 0"),
        ]);
        given::<Article>([]).when(&create(" ", ""), &ann()).then_refused(refusal);
    }

    #[test]
    fn an_article_is_created_once() {
        given::<Article>([created()])
            .when(&create("T", "C"), &ann())
            .then_refused(ArticleRefusal::AlreadyExists);
    }
}
