//! Comments: what people say about an article.

mod command;
mod event;
mod query;
mod refusal;
#[cfg(test)]
mod tests;
mod view;

pub use command::{AddComment, DeleteComment, MAX_TEXT};
pub use event::{CommentAdded, CommentDeleted, CommentEvent};
pub use query::{
    CommentPage, CommentRef, FindComment, GetComment, GetCommentHistory, ListComments,
    LiveComments, LivePage,
};
pub use refusal::CommentRefusal;
pub use view::{Comment, CommentState};

/// The context's name: the second token of its subjects, the first of its event types.
pub const CONTEXT: &str = "comment";
