use contracts::article::{ArticleCreated, ArticleEvent, ArticleRefusal, CreateArticle};
use eventsourcing::{Actor, Decide};

use crate::domain::{Article, bounded::Bounded, input};

impl Decide<Bounded<CreateArticle>> for Article {
    type Refusal = ArticleRefusal;

    fn decide(
        &self,
        command: &Bounded<CreateArticle>,
        actor: &Actor,
    ) -> Result<Vec<ArticleEvent>, ArticleRefusal> {
        let slug = command.slug.as_deref();
        let tags =
            input::check(&command.title, &command.content, slug, &command.tags, command.bounds)?;
        if self.view().is_some() {
            return Err(ArticleRefusal::AlreadyExists);
        }
        let event = ArticleCreated {
            title: command.title.clone(),
            content: command.content.clone(),
            author_id: actor.user_id.clone(),
            slug: command.slug.clone(),
            tags,
        };
        Ok(vec![event.into()])
    }
}

#[cfg(test)]
mod tests {
    use eventsourcing::{FieldError, testing::given};

    use super::*;
    use crate::domain::testing::{ann, bob, bounded, created};

    fn create(title: &str, content: &str) -> CreateArticle {
        CreateArticle {
            title: title.to_owned(),
            content: content.to_owned(),
            ..CreateArticle::default()
        }
    }

    fn written(title: &str, content: &str, author: &Actor) -> ArticleCreated {
        ArticleCreated {
            title: title.to_owned(),
            content: content.to_owned(),
            author_id: author.user_id.clone(),
            slug: None,
            tags: Vec::new(),
        }
    }

    #[test]
    fn an_article_belongs_to_whoever_creates_it() {
        let created = written("T", "C", &bob());
        given::<Article>([]).when(&bounded(create("T", "C")), &bob()).then([created.into()]);
    }

    #[test]
    fn text_is_kept_as_it_is() {
        let (title, content) = (" “T”\u{200b} 🦀 ", "\r\n\tC  ");
        let created = written(title, content, &ann());
        given::<Article>([]).when(&bounded(create(title, content)), &ann()).then([created.into()]);
    }

    #[test]
    fn it_has_the_slug_of_its_authors_choice_and_normal_tags() {
        let slug = Some("first-light".to_owned());
        let tags = vec!["Event Sourcing".to_owned(), "event-sourcing".to_owned()];
        let command = CreateArticle { slug: slug.clone(), tags, ..create("T", "C") };
        let tags = vec!["event-sourcing".to_owned()];
        let created = ArticleCreated { slug, tags, ..written("T", "C", &ann()) };
        given::<Article>([]).when(&bounded(command), &ann()).then([created.into()]);
    }

    #[test]
    fn every_bad_field_is_named() {
        let refusal = ArticleRefusal::Invalid(vec![
            FieldError::new("title", "must not be only white space"),
            FieldError::new("content", "must be 1 to 10000 characters long, not 0"),
            FieldError::new(
                "slug",
                "must be 1 to 100 characters of a-z and 0-9, with single hyphens between words",
            ),
            FieldError::new("tags[0]", "must be 1 to 40 characters without control characters"),
        ]);
        let (slug, tags) = (Some("No".to_owned()), vec![String::new()]);
        let command = CreateArticle { slug, tags, ..create(" ", "") };
        given::<Article>([]).when(&bounded(command), &ann()).then_refused(refusal);
    }

    #[test]
    fn an_article_is_created_once() {
        given::<Article>([created()])
            .when(&bounded(create("T", "C")), &ann())
            .then_refused(ArticleRefusal::AlreadyExists);
    }
}
