use contracts::article::{ArticleDeleted, ArticleEvent, ArticleRefusal, DeleteArticle};
use eventsourcing::{Actor, Decide};

use crate::domain::Article;

impl Decide<DeleteArticle> for Article {
    type Refusal = ArticleRefusal;

    fn decide(
        &self,
        _: &DeleteArticle,
        actor: &Actor,
    ) -> Result<Vec<ArticleEvent>, ArticleRefusal> {
        let article = self.changeable_by(actor)?;
        let event =
            ArticleDeleted { title: article.title.clone(), author_id: article.author_id.clone() };
        Ok(vec![event.into()])
    }
}

#[cfg(test)]
mod tests {
    use eventsourcing::testing::{aggregate_id, given};

    use super::*;
    use crate::domain::testing::{ann, bob, created, deleted, editor};

    const fn delete(id: eventsourcing::AggregateId) -> DeleteArticle {
        DeleteArticle { id }
    }

    #[test]
    fn the_author_or_an_editor_deletes_an_article() {
        for actor in [ann(), editor()] {
            given::<Article>([created()]).when(&delete(aggregate_id()), &actor).then([deleted()]);
        }
    }

    #[test]
    fn nobody_else_does() {
        given::<Article>([created()])
            .when(&delete(aggregate_id()), &bob())
            .then_refused(ArticleRefusal::NotTheAuthor);
    }

    #[test]
    fn deleted_stays_deleted() {
        given::<Article>([created(), deleted()])
            .when(&delete(aggregate_id()), &ann())
            .then_refused(ArticleRefusal::Deleted);
    }
}
