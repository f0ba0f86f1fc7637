//! The rows of the tables, what a batch of events changes in them, and what they are asked.

use eventsourcing::UserId;
use sqlx::types::Json;
use uuid::Uuid;

/// A row of `articles`.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ArticleRow {
    /// The position of the event that created it.
    pub(super) created_position: i64,
    pub(super) id: Uuid,
    pub(super) title: String,
    /// Empty when it was not asked for.
    pub(super) content: String,
    pub(super) author_id: String,
    pub(super) slug: Option<String>,
    pub(super) tags: Json<Vec<String>>,
    pub(super) version: i64,
    pub(super) created_at: String,
    pub(super) updated_at: String,
    pub(super) deleted: bool,
}

/// What is added to a row of `authors`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AuthorChange {
    pub(super) author_id: String,
    pub(super) articles: i64,
    pub(super) created: i64,
    pub(super) last_activity: String,
    /// The position of the event with that time.
    pub(super) last_position: i64,
}

/// A row of `authors`.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct AuthorRow {
    pub(super) author_id: String,
    pub(super) articles: i64,
    pub(super) created: i64,
    pub(super) last_activity: String,
}

/// A row of `activity`, or what is added to one.
#[derive(Debug, Clone, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct DayRow {
    pub(super) day: String,
    pub(super) created: i64,
    pub(super) updated: i64,
    pub(super) deleted: i64,
}

/// What a batch of events changes in the tables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Articles that are new or changed, as they are afterwards.
    pub(super) articles: Vec<ArticleRow>,
    /// Those among them whose words are in the search now.
    pub(super) unindexed: Vec<i64>,
    /// Those among them whose tags change.
    pub(super) untagged: Vec<i64>,
    /// Their new tags.
    pub(super) tags: Vec<(i64, String)>,
    pub(super) authors: Vec<AuthorChange>,
    pub(super) days: Vec<DayRow>,
}

/// A page of live articles, newest first.
#[derive(Debug, Clone, Default)]
pub struct ListPage {
    pub(super) author: Option<UserId>,
    pub(super) tag: Option<String>,
    pub(super) slug: Option<String>,
    /// Only those created before this position.
    pub(super) before: Option<i64>,
    pub(super) limit: i64,
}

/// A page of live articles in which all `words` are, best first.
#[derive(Debug, Clone, Default)]
pub struct SearchPage {
    pub(super) words: Vec<String>,
    pub(super) author: Option<UserId>,
    pub(super) tag: Option<String>,
    /// Only those created up to this position.
    pub(super) newest: Option<i64>,
    pub(super) offset: i64,
    pub(super) limit: i64,
}

/// What stands around a word that was found, until the text is made safe for HTML.
pub(super) const MARKS: [char; 2] = ['\u{1}', '\u{2}'];

/// An article that was found.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Hit {
    #[sqlx(flatten)]
    pub(super) article: ArticleRow,
    /// Where it was found, with [`MARKS`] around the words.
    pub(super) snippet: String,
}

/// A page of what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The newest article when the first page was read.
    pub(super) newest: i64,
    pub(super) hits: Vec<Hit>,
}
