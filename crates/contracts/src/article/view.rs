use eventsourcing::{AggregateId, UserId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// An article as clients see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Article {
    /// Its id.
    pub id: AggregateId,
    /// Its title.
    pub title: String,
    /// Its content.
    pub content: String,
    /// Who published it.
    pub author_id: UserId,
    /// The name that its author chose, unique among live articles; null when there is none.
    #[serde(default)]
    pub slug: Option<String>,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// 1 for the first, one more with every change; the `ETag`.
    pub version: u64,
    /// When it was published.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

/// An article in a list: everything but the content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArticleSummary {
    /// Its id.
    pub id: AggregateId,
    /// Its title.
    pub title: String,
    /// Who published it.
    pub author_id: UserId,
    /// The name that its author chose, unique among live articles; null when there is none.
    #[serde(default)]
    pub slug: Option<String>,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// 1 for the first, one more with every change.
    pub version: u64,
    /// When it was published.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}
