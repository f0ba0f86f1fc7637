use eventsourcing::{AggregateId, CommandId, CorrelationId, EventId, Query, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use super::{Article, CONTEXT};

/// Asks `queries.article.history` what happened to an article; answered with a [`HistoryPage`], oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetHistory {
    /// The article.
    pub id: AggregateId,
    /// Only what came after this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// 1 to [`MAX_PAGE`](super::MAX_PAGE); 20 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// A part of an article's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryPage {
    /// What happened, oldest first.
    pub items: Vec<HistoryEntry>,
    /// The version to ask on after; absent on the last page.
    pub next: Option<u64>,
}

/// Who changed what, when, with which command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// The article's version after it.
    pub version: u64,
    /// What happened: `article.updated`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// When it was decided.
    #[serde(with = "time::serde::rfc3339")]
    pub time: OffsetDateTime,
    /// Who sent the command.
    pub user_id: UserId,
    /// The event.
    pub event_id: EventId,
    /// The command.
    pub command_id: CommandId,
    /// The request that it belongs to.
    pub correlation_id: CorrelationId,
    /// The event's position in the stream.
    pub position: u64,
    /// The fields that are different after it.
    pub changes: Vec<Change>,
}

/// A field before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// `title`, `content`, `slug` or `tags`.
    pub field: String,
    /// Null when there was nothing.
    pub from: Value,
    /// Null when there is nothing any more.
    pub to: Value,
}

/// Asks `queries.article.at` for an article as it was; answered with an [`Article`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetArticleAt {
    /// The article.
    pub id: AggregateId,
    /// When.
    #[serde(flatten)]
    pub at: At,
}

/// A moment in an article's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum At {
    /// After its event with this number.
    Version(u64),
    /// After the last event that was decided by then.
    #[serde(with = "time::serde::rfc3339")]
    AsOf(OffsetDateTime),
}

impl Query for GetHistory {
    const CONTEXT: &'static str = CONTEXT;
    const NAME: &'static str = "history";
    type Answer = HistoryPage;
}

impl Query for GetArticleAt {
    const CONTEXT: &'static str = CONTEXT;
    const NAME: &'static str = "at";
    type Answer = Article;
}
