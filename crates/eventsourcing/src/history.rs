//! What happened to an aggregate, as it is told to people.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use crate::{CommandId, CorrelationId, EventId, UserId};

/// A part of an aggregate's history.
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
    /// The aggregate's version after it.
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
    /// The field's name: `title`.
    pub field: String,
    /// Null when there was nothing.
    pub from: Value,
    /// Null when there is nothing any more.
    pub to: Value,
}

/// A moment in an aggregate's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum At {
    /// After its event with this number.
    Version(u64),
    /// After the last event that was decided by then.
    #[serde(with = "time::serde::rfc3339")]
    AsOf(OffsetDateTime),
}
