use contracts::article::{ArticleEvent, ArticleRefusal, ArticleUpdated, UpdateArticle};
use eventsourcing::{Actor, Decide};

use crate::domain::{Article, bounded::Bounded, input};

impl Decide<Bounded<UpdateArticle>> for Article {
    type Refusal = ArticleRefusal;

    /// An update that changes nothing is an event too: without one, a repeat of it after somebody else's
    /// update could not be recognised and would undo that update.
    fn decide(
        &self,
        command: &Bounded<UpdateArticle>,
        actor: &Actor,
    ) -> Result<Vec<ArticleEvent>, ArticleRefusal> {
        let (slug, tags) = (command.slug.as_deref(), command.tags.as_deref());
        let tags = tags.unwrap_or_default();
        let tags = input::check(&command.title, &command.content, slug, tags, command.bounds)?;
        let article = self.changeable_by(actor)?;
        let event = ArticleUpdated {
            title: command.title.clone(),
            content: command.content.clone(),
            author_id: article.author_id.clone(),
            slug: command.slug.clone(),
            tags: command.tags.as_ref().map(|_| tags),
        };
        Ok(vec![event.into()])
    }
}

#[cfg(test)]
mod tests {
    use eventsourcing::{
        Aggregate,
        testing::{aggregate_id, given},
    };

    use super::*;
    use crate::domain::testing::{ann, bob, bounded, created, deleted, editor};

    fn update() -> UpdateArticle {
        UpdateArticle {
            id: aggregate_id(),
            title: "T2".to_owned(),
            content: "C2".to_owned(),
            slug: None,
            tags: None,
        }
    }

    fn written() -> ArticleUpdated {
        ArticleUpdated {
            title: "T2".to_owned(),
            content: "C2".to_owned(),
            author_id: ann().user_id,
            slug: None,
            tags: None,
        }
    }

    fn updated() -> ArticleEvent {
        written().into()
    }

    #[test]
    fn the_author_changes_an_article() {
        given::<Article>([created()]).when(&bounded(update()), &ann()).then([updated()]);
    }

    #[test]
    fn an_editor_changes_it_and_the_author_stays() {
        given::<Article>([created()]).when(&bounded(update()), &editor()).then([updated()]);
    }

    #[test]
    fn slug_and_tags_change_only_when_they_are_named() {
        let (slug, tags) = (Some("s".to_owned()), Some(vec!["T".to_owned()]));
        let command = UpdateArticle { slug: slug.clone(), tags, ..update() };
        let event = ArticleUpdated { slug, tags: Some(vec!["t".to_owned()]), ..written() };
        given::<Article>([created()]).when(&bounded(command), &ann()).then([event.clone().into()]);
        let given = given::<Article>([created(), event.into(), updated()]);
        let article = given.state().view().expect("it is there");
        assert_eq!(
            (article.slug.as_deref(), article.tags.as_slice()),
            (Some("s"), &["t".to_owned()][..])
        );
        assert_eq!(given.state().claims().len(), 1);
    }

    #[test]
    fn nobody_else_changes_it() {
        given::<Article>([created()])
            .when(&bounded(update()), &bob())
            .then_refused(ArticleRefusal::NotTheAuthor);
    }

    #[test]
    fn what_is_not_there_or_deleted_cannot_be_changed() {
        given::<Article>([])
            .when(&bounded(update()), &ann())
            .then_refused(ArticleRefusal::NotFound);
        given::<Article>([created(), deleted()])
            .when(&bounded(update()), &ann())
            .then_refused(ArticleRefusal::Deleted);
    }

    #[test]
    fn an_update_that_changes_nothing_is_recorded() {
        given::<Article>([created(), updated()]).when(&bounded(update()), &ann()).then([updated()]);
    }
}
