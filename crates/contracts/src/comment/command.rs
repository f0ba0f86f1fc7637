use eventsourcing::{AggregateId, Command, CommandId};
use serde::{Deserialize, Serialize};

use super::{CONTEXT, CommentState};

/// The longest text, in Unicode scalar values.
pub const MAX_TEXT: usize = 5000;

/// Says something about an article. The comment's id derives from the command's, so a repeat says nothing new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddComment {
    /// The article.
    pub article_id: AggregateId,
    /// 1 to [`MAX_TEXT`] characters, not only white space.
    pub text: String,
}

/// Takes a comment back, for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteComment {
    /// The comment.
    pub id: AggregateId,
}

impl Command for AddComment {
    const CONTEXT: &'static str = CONTEXT;
    const VERB: &'static str = "add";
    const CREATES: bool = true;
    type Output = CommentState;

    fn aggregate_id(&self, id: CommandId) -> AggregateId {
        id.creates(CONTEXT)
    }
}

impl Command for DeleteComment {
    const CONTEXT: &'static str = CONTEXT;
    const VERB: &'static str = "delete";
    type Output = CommentState;

    fn aggregate_id(&self, _: CommandId) -> AggregateId {
        self.id
    }
}
