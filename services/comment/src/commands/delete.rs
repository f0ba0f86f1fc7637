use contracts::comment::{CommentDeleted, CommentEvent, CommentRefusal, DeleteComment};
use eventsourcing::{Actor, Decide};

use crate::domain::Comment;

impl Decide<DeleteComment> for Comment {
    type Refusal = CommentRefusal;

    fn decide(
        &self,
        _: &DeleteComment,
        actor: &Actor,
    ) -> Result<Vec<CommentEvent>, CommentRefusal> {
        let comment = self.deletable_by(actor)?;
        let (article_id, author_id) = (comment.article_id, comment.author_id.clone());
        Ok(vec![CommentDeleted { article_id, author_id }.into()])
    }
}

#[cfg(test)]
mod tests {
    use eventsourcing::testing::{aggregate_id, given};

    use super::*;
    use crate::domain::testing::{added, ann, bob, deleted, editor};

    fn delete() -> DeleteComment {
        DeleteComment { id: aggregate_id() }
    }

    #[test]
    fn its_author_an_editor_and_the_system_delete_a_comment() {
        for actor in [bob(), editor(), Actor::system("comment")] {
            given::<Comment>([added()]).when(&delete(), &actor).then([deleted()]);
        }
    }

    #[test]
    fn nobody_else_does_not_even_the_author_of_the_article() {
        given::<Comment>([added()])
            .when(&delete(), &ann())
            .then_refused(CommentRefusal::NotTheAuthor);
    }

    #[test]
    fn deleted_stays_deleted_and_what_is_not_there_is_not_found() {
        given::<Comment>([added(), deleted()])
            .when(&delete(), &bob())
            .then_refused(CommentRefusal::Deleted);
        given::<Comment>([]).when(&delete(), &bob()).then_refused(CommentRefusal::NotFound);
    }
}
