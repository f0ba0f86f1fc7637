//! The port: what a database must do to keep the read model. `sqlite.rs` and `postgres.rs` are behind it.

use std::{fmt::Debug, future::Future};

use contracts::article::CONTEXT;
use eventsourcing::{StreamId, UserId};
use messaging::{Mark, consumer::Landmark, names::EventSubject};
use sqlx::{migrate::Migrator, types::Json};
use uuid::Uuid;

/// The database failed, or a row is not what was written.
pub(crate) use sqlx::Error as DatabaseError;

/// The steps that make tables what this code knows. Newer code may have taken more of them; this one goes on answering.
pub(crate) fn migrations(mut steps: Migrator) -> Migrator {
    steps.set_ignore_missing(true);
    steps
}

/// A row of `articles`.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct ArticleRow {
    /// The position of the event that created it.
    pub created_position: i64,
    pub id: Uuid,
    pub title: String,
    /// Empty when it was not asked for.
    pub content: String,
    pub author_id: String,
    pub slug: Option<String>,
    pub tags: Json<Vec<String>>,
    pub version: i64,
    pub created_at: String,
    pub updated_at: String,
    pub deleted: bool,
}

/// What is added to a row of `authors`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AuthorChange {
    pub author_id: String,
    pub articles: i64,
    pub created: i64,
    pub last_activity: String,
    /// The position of the event with that time.
    pub last_position: i64,
}

/// A row of `authors`.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct AuthorRow {
    pub author_id: String,
    pub articles: i64,
    pub created: i64,
    pub last_activity: String,
}

/// A row of `activity`, or what is added to one.
#[derive(Debug, Clone, Default, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct DayRow {
    pub day: String,
    pub created: i64,
    pub updated: i64,
    pub deleted: i64,
}

/// An event that could not be applied, so the generation lacks it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Skipped {
    pub position: i64,
    pub subject: String,
    pub reason: String,
}

/// What a batch of events changes in the tables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// Articles as they are from now on, by the position that created them.
    pub articles: Vec<ArticleRow>,
    /// Those among them whose words are in the search now.
    pub unindexed: Vec<i64>,
    /// Those among them whose tags change.
    pub untagged: Vec<i64>,
    /// Their new tags.
    pub tags: Vec<(i64, String)>,
    pub authors: Vec<AuthorChange>,
    pub days: Vec<DayRow>,
    /// Events that could not be applied.
    pub skipped: Vec<Skipped>,
    /// Those that could not be applied before, and are now.
    pub redriven: Vec<i64>,
}

/// From which position to which, and by whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    pub from: u64,
    pub to: Mark,
    pub epoch: i64,
}

impl Step {
    /// Whether it stays where it is, for an event that comes again.
    pub(crate) fn is_redrive(&self) -> bool {
        self.from == self.to.position
    }
}

/// Rows, and the position of the state that they are from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen<T> {
    pub position: u64,
    pub data: T,
}

/// What tables remember of their stream, from a row of `progress`.
pub(crate) fn mark(
    (position, stream, stored_at): (i64, Option<String>, Option<i64>),
) -> Result<Option<Mark>, DatabaseError> {
    let Some(stream) = stream else { return Ok(None) };
    let stream = stream.parse().map_err(|error| DatabaseError::Decode(Box::new(error)))?;
    let position = u64::try_from(position).map_err(|error| DatabaseError::Decode(error.into()))?;
    Ok(Some(Mark { stream, position, stored_at: stored_at.unwrap_or_default() }))
}

/// The event that created an article.
pub(crate) fn landmark((position, id): (i64, Uuid)) -> Result<Landmark, DatabaseError> {
    let position = u64::try_from(position).map_err(|error| DatabaseError::Decode(error.into()))?;
    let subject = EventSubject(StreamId::new(CONTEXT, id.into())).to_string();
    Ok(Landmark { position, subject })
}

/// A page of live articles, newest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct ListPage {
    pub author: Option<UserId>,
    pub tag: Option<String>,
    pub slug: Option<String>,
    /// Only those created before this position.
    pub before: Option<i64>,
    pub limit: i64,
}

/// A page of live articles in which all `words` are, best first.
#[derive(Debug, Clone, Default)]
pub(crate) struct SearchPage {
    pub words: Vec<String>,
    pub author: Option<UserId>,
    pub tag: Option<String>,
    /// Only those created up to this position.
    pub newest: Option<i64>,
    pub offset: i64,
    pub limit: i64,
}

/// What stands around a word that was found, until the text is made safe for HTML.
pub(crate) const MARKS: [char; 2] = ['\u{1}', '\u{2}'];

/// An article that was found.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Hit {
    #[sqlx(flatten)]
    pub article: ArticleRow,
    /// Where it was found, with [`MARKS`] around the words.
    pub snippet: String,
}

/// A page of what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// The newest article when the first page was read.
    pub newest: i64,
    pub hits: Vec<Hit>,
}

/// One generation of the read model. Cheap to clone.
pub(crate) trait Tables: Clone + Debug + Send + Sync + 'static {
    /// Lets nobody of an epoch before `epoch` write any more; the position, or `None` when a later epoch has begun.
    fn fence(&self, epoch: i64) -> impl Future<Output = Result<Option<u64>, DatabaseError>> + Send;

    /// The position of the last event in the tables.
    fn position(&self) -> impl Future<Output = Result<u64, DatabaseError>> + Send;

    /// Which stream the tables are of, with their position; `None` when nobody noted that yet.
    fn mark(&self) -> impl Future<Output = Result<Option<Mark>, DatabaseError>> + Send;

    /// The newest article in them, as the event that created it.
    fn landmark(&self) -> impl Future<Output = Result<Option<Landmark>, DatabaseError>> + Send;

    /// Notes that the tables, as they are, are of the stream of `mark`. `false` when position or epoch are others.
    fn adopt(
        &self,
        epoch: i64,
        mark: &Mark,
    ) -> impl Future<Output = Result<bool, DatabaseError>> + Send;

    /// The articles `ids`, without their content; those that are not there are left out.
    fn known(
        &self,
        ids: &[Uuid],
    ) -> impl Future<Output = Result<Vec<ArticleRow>, DatabaseError>> + Send;

    /// Makes `step` and writes `changes`, all or nothing. `false` when position, epoch or stream are others.
    fn commit(
        &self,
        changes: &Changes,
        step: Step,
    ) -> impl Future<Output = Result<bool, DatabaseError>> + Send;

    /// Leaves the search out until [`index`](Self::index), if the tables are empty and the epoch is not over.
    fn defer_search(&self, epoch: i64) -> impl Future<Output = Result<(), DatabaseError>> + Send;

    /// Makes the search over all articles, if it was left out. `false` when the epoch is another.
    fn index(&self, epoch: i64) -> impl Future<Output = Result<bool, DatabaseError>> + Send;

    /// Up to `limit` events behind the position `after` that could not be applied, oldest first.
    fn skipped(
        &self,
        after: i64,
        limit: i64,
    ) -> impl Future<Output = Result<Vec<Skipped>, DatabaseError>> + Send;

    /// How many events could not be applied.
    fn count_skipped(&self) -> impl Future<Output = Result<i64, DatabaseError>> + Send;

    /// A digest of every row of every table, with the position: equal for equal tables.
    fn digest(&self) -> impl Future<Output = Result<Seen<u64>, DatabaseError>> + Send;

    /// The article `id`.
    fn get(
        &self,
        id: Uuid,
    ) -> impl Future<Output = Result<Seen<Option<ArticleRow>>, DatabaseError>> + Send;

    /// A page of articles, without their content.
    fn list(
        &self,
        page: &ListPage,
    ) -> impl Future<Output = Result<Seen<Vec<ArticleRow>>, DatabaseError>> + Send;

    /// A page of articles, without their content, in which words are.
    fn search(
        &self,
        page: &SearchPage,
    ) -> impl Future<Output = Result<Seen<Found>, DatabaseError>> + Send;

    /// The author `id`.
    fn author(
        &self,
        id: &UserId,
    ) -> impl Future<Output = Result<Seen<Option<AuthorRow>>, DatabaseError>> + Send;

    /// Up to `limit` authors behind `after`, by id.
    fn authors(
        &self,
        after: &str,
        limit: i64,
    ) -> impl Future<Output = Result<Seen<Vec<AuthorRow>>, DatabaseError>> + Send;

    /// The days from `first` to `last` on which something happened.
    fn activity(
        &self,
        first: &str,
        last: &str,
    ) -> impl Future<Output = Result<Seen<Vec<DayRow>>, DatabaseError>> + Send;

    /// Lets go of it.
    fn close(&self) -> impl Future<Output = ()> + Send;
}
