//! What is told of a comment's past.

use command_service::{Fault, Past, PastQuery, Replay, Show, past::history};
use contracts::comment::{CommentRefusal, CommentState, GetCommentHistory};
use eventsourcing::{Actor, AggregateId, EventStore, Refusal, history::HistoryPage};
use serde_json::json;

use crate::domain::Comment;

impl Show<CommentState> for Comment {
    fn show(&self) -> Option<CommentState> {
        self.state().cloned()
    }
}

impl Past for Comment {
    fn unknown() -> Refusal {
        CommentRefusal::NotFound.into()
    }

    /// A comment that was taken back is past for everybody but those who could have done so.
    fn may_read(&self, actor: Option<&Actor>) -> Result<(), Refusal> {
        if self.is_deleted() && !actor.is_some_and(|actor| self.is_of(actor)) {
            return Err(CommentRefusal::Deleted.into());
        }
        Ok(())
    }
}

impl PastQuery<Comment> for GetCommentHistory {
    fn id(&self) -> AggregateId {
        self.id
    }

    fn behind(&self) -> u64 {
        self.after.unwrap_or_default()
    }

    async fn answer<S: EventStore>(
        &self,
        past: &mut Replay<'_, Comment, S>,
    ) -> Result<HistoryPage, Fault> {
        history::page(past, self.after, self.limit, fields).await
    }
}

/// What a reader sees of a comment; nothing of one that is not there.
fn fields(comment: &Comment) -> history::Fields {
    let seen = comment.state().filter(|_| !comment.is_deleted());
    vec![("text", json!(seen.map(|comment| &comment.text)))]
}
