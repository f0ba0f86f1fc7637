use eventsourcing::Query;
use serde::{Deserialize, Serialize};

use super::CONTEXT;

/// The most days that one answer is about.
pub const MAX_DAYS: i64 = 366;

/// Asks `queries.article.activity` what happened on which day; answered with an [`Activity`]. Days are those of UTC, written
/// `2026-01-31`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetActivity {
    /// The first day; 29 days before the last one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The last day; today when absent. At most [`MAX_DAYS`] from the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// What happened on one day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day {
    /// The day, in UTC.
    pub day: String,
    /// How many articles were created.
    pub created: u64,
    /// How many changes there were.
    pub updated: u64,
    /// How many articles were deleted.
    pub deleted: u64,
}

/// What happened, day by day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// The days on which something happened, oldest first.
    pub items: Vec<Day>,
}

impl Query for GetActivity {
    const CONTEXT: &'static str = CONTEXT;
    const NAME: &'static str = "activity";
    type Answer = Activity;
}
