use eventsourcing::{AggregateId, UserId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// A comment after a command. Its number is the position of its first event, which the reply has beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommentState {
    /// The comment.
    pub id: AggregateId,
    /// The article.
    pub article_id: AggregateId,
    /// Who said it.
    pub author_id: UserId,
    /// The text.
    pub text: String,
    /// Its version.
    pub version: u64,
    /// When it was said.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

/// A comment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comment {
    /// Its number among all: later ones have higher ones. It is the position of its first event.
    pub number: u64,
    /// The comment itself.
    #[serde(flatten)]
    pub state: CommentState,
}
