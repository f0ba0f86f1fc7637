use eventsourcing::{AggregateId, UserId};
use serde::{Deserialize, Serialize};

use crate::{Audience, Heard, Topic};

/// Somebody said something about an article.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommentAdded {
    /// The article.
    pub article_id: AggregateId,
    /// Its title by then, so that a consumer need not remember.
    pub article_title: String,
    /// Its author.
    pub article_author_id: UserId,
    /// Who said it.
    pub author_id: UserId,
    /// The text.
    pub text: String,
}

/// A comment was taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommentDeleted {
    /// The article.
    pub article_id: AggregateId,
    /// Who had said it.
    pub author_id: UserId,
}

eventsourcing::events! {
    /// Every fact about a comment.
    pub enum CommentEvent {
        "comment.added" v 1 => Added(CommentAdded),
        "comment.deleted" v 1 => Deleted(CommentDeleted),
    }
}

impl Heard for CommentEvent {
    fn audience(&self, _: AggregateId) -> Audience {
        let on = |article: AggregateId| Audience::Everybody(vec![Topic::Comments(article)]);
        match self {
            Self::Added(event) => on(event.article_id),
            Self::Deleted(event) => on(event.article_id),
        }
    }
}
