//! The aggregate: what its events make of it. Pure and synchronous; no clock, no randomness.

#[cfg(test)]
pub(crate) mod testing;

use contracts::{
    article::EDITOR,
    comment::{CONTEXT, CommentAdded, CommentEvent, CommentRefusal, CommentState},
};
use eventsourcing::{Actor, Aggregate, EventContext};
use serde::{Deserialize, Serialize};

/// A comment, from its first event to after its last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Comment {
    state: Option<CommentState>,
    deleted: bool,
}

impl Comment {
    /// The comment as it is, or as it was when it was deleted; `None` before the first event.
    pub(crate) fn state(&self) -> Option<&CommentState> {
        self.state.as_ref()
    }

    /// Whether it was taken back.
    pub(crate) fn is_deleted(&self) -> bool {
        self.deleted
    }

    /// Whether `actor` may take it back: its author, an editor, and the system, which does so when the article is gone.
    pub(crate) fn is_of(&self, actor: &Actor) -> bool {
        let is_author = |comment: &CommentState| actor.user_id == comment.author_id;
        let is_author = self.state.as_ref().is_some_and(is_author);
        is_author || actor.has_role(EDITOR) || actor.is_system()
    }

    /// The comment, if it is there and `actor` may take it back.
    pub(crate) fn deletable_by(&self, actor: &Actor) -> Result<&CommentState, CommentRefusal> {
        let comment = self.state.as_ref().ok_or(CommentRefusal::NotFound)?;
        if self.deleted {
            Err(CommentRefusal::Deleted)
        } else if self.is_of(actor) {
            Ok(comment)
        } else {
            Err(CommentRefusal::NotTheAuthor)
        }
    }
}

impl Aggregate for Comment {
    const CONTEXT: &'static str = CONTEXT;
    const STATE_SCHEMA: u32 = 1;
    type Event = CommentEvent;

    fn apply(&mut self, event: CommentEvent, context: &EventContext) {
        match event {
            CommentEvent::Added(CommentAdded { article_id, author_id, text, .. }) => {
                self.state = Some(CommentState {
                    id: context.aggregate_id,
                    article_id,
                    author_id,
                    text,
                    version: context.version,
                    created_at: context.time,
                });
            }
            CommentEvent::Deleted(_) => {
                self.deleted = true;
                if let Some(comment) = &mut self.state {
                    comment.version = context.version;
                }
            }
        }
    }
}
