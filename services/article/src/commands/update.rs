use contracts::article::{ArticleEvent, ArticleRefusal, ArticleUpdated, UpdateArticle};
use eventsourcing::{Actor, Decide};

use crate::domain::{Article, text};

impl Decide<UpdateArticle> for Article {
    type Refusal = ArticleRefusal;

    /// An update that changes nothing is an event too: without one, a repeat of it after somebody else's
    /// update could not be recognised and would undo that update.
    fn decide(
        &self,
        command: &UpdateArticle,
        actor: &Actor,
    ) -> Result<Vec<ArticleEvent>, ArticleRefusal> {
        text::check(&command.title, &command.content)?;
        let article = self.changeable_by(actor)?;
        let event = ArticleUpdated {
            title: command.title.clone(),
            content: command.content.clone(),
            author_id: article.author_id.clone(),
        };
        Ok(vec![event.into()])
    }
}

#[cfg(test)]
mod tests {
    use eventsourcing::testing::{aggregate_id, given};

    use super::*;
    use crate::domain::testing::{ann, bob, created, deleted, editor};

    fn update() -> UpdateArticle {
        UpdateArticle { id: aggregate_id(), title: "T2".to_owned(), content: "C2".to_owned() }
    }

    fn updated() -> ArticleEvent {
        ArticleUpdated {
            title: "T2".to_owned(),
            content: "C2".to_owned(),
            author_id: ann().user_id,
        }
        .into()
    }

    #[test]
    fn the_author_changes_an_article() {
        given::<Article>([created()]).when(&update(), &ann()).then([updated()]);
    }

    #[test]
    fn an_editor_changes_it_and_the_author_stays() {
        given::<Article>([created()]).when(&update(), &editor()).then([updated()]);
    }

    #[test]
    fn nobody_else_changes_it() {
        given::<Article>([created()])
            .when(&update(), &bob())
            .then_refused(ArticleRefusal::NotTheAuthor);
    }

    #[test]
    fn what_is_not_there_or_deleted_cannot_be_changed() {
        given::<Article>([]).when(&update(), &ann()).then_refused(ArticleRefusal::NotFound);
        given::<Article>([created(), deleted()])
            .when(&update(), &ann())
            .then_refused(ArticleRefusal::Deleted);
    }

    #[test]
    fn an_update_that_changes_nothing_is_recorded() {
        given::<Article>([created(), updated()]).when(&update(), &ann()).then([updated()]);
    }
}
