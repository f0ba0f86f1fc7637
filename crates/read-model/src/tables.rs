//! The port: what a database must do to keep one generation of a read model. `sqlite.rs` and `postgres.rs` are behind it.

use std::{fmt::Debug, future::Future};

use eventsourcing::StreamId;
use messaging::{Mark, consumer::Landmark, names::EventSubject};
use sqlx::migrate::Migrator;
use uuid::Uuid;

use crate::{
    model::{DatabaseError, ReadModel},
    number::number,
    reads::Reads,
};

/// The steps that make tables what this code knows. Newer code may have taken more of them; this one goes on answering.
pub(crate) fn migrations(mut steps: Migrator) -> Migrator {
    steps.set_ignore_missing(true);
    steps
}

/// An event that could not be applied, so the generation lacks it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Skipped {
    /// Its position.
    pub position: i64,
    /// Its subject.
    pub subject: String,
    /// Why.
    pub reason: String,
}

/// What a batch of events changes in the tables.
#[derive(Debug, Default)]
pub struct Changes<C> {
    /// What it changes in those of the model.
    pub model: C,
    /// Events that could not be applied.
    pub skipped: Vec<Skipped>,
    /// Those that could not be applied before, and are now.
    pub redriven: Vec<i64>,
}

/// From which position to which, and by whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Where the tables are.
    pub from: u64,
    /// Where they are afterwards.
    pub to: Mark,
    /// Whose turn it is.
    pub epoch: i64,
}

impl Step {
    /// Whether it stays where it is, for an event that comes again.
    #[must_use]
    pub fn is_redrive(&self) -> bool {
        self.from == self.to.position
    }
}

/// Rows, and the position of the state that they are from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen<T> {
    /// The position of the last event in the tables.
    pub position: u64,
    /// The rows.
    pub data: T,
}

/// What tables remember of their stream, from a row of `progress`.
pub(crate) fn mark(
    (position, stream, stored_at): (i64, Option<String>, Option<i64>),
) -> Result<Option<Mark>, DatabaseError> {
    let Some(stream) = stream else { return Ok(None) };
    let stream = stream.parse().map_err(|error| DatabaseError::Decode(Box::new(error)))?;
    Ok(Some(Mark { stream, position: number(position)?, stored_at: stored_at.unwrap_or_default() }))
}

/// The event that created an aggregate of `context`.
pub(crate) fn landmark(
    context: &'static str,
    (position, id): (i64, Uuid),
) -> Result<Landmark, DatabaseError> {
    let subject = EventSubject(StreamId::new(context, id.into())).to_string();
    Ok(Landmark { position: number(position)?, subject })
}

/// One generation of a read model. Cheap to clone.
pub trait Tables: Clone + Debug + Send + Sync + 'static {
    /// The read model.
    type Model: ReadModel;
    /// The database that they are in.
    type Sql: sqlx::Database;

    /// Lets nobody of an epoch before `epoch` write any more; the position, or `None` when a later epoch has begun.
    fn fence(&self, epoch: i64) -> impl Future<Output = Result<Option<u64>, DatabaseError>> + Send;

    /// The position of the last event in the tables.
    fn position(&self) -> impl Future<Output = Result<u64, DatabaseError>> + Send;

    /// Which stream the tables are of, with their position; `None` when nobody noted that yet.
    fn mark(&self) -> impl Future<Output = Result<Option<Mark>, DatabaseError>> + Send;

    /// The newest aggregate in them, as the event that created it.
    fn landmark(&self) -> impl Future<Output = Result<Option<Landmark>, DatabaseError>> + Send;

    /// Notes that the tables, as they are, are of the stream of `mark`. `false` when position or epoch are others.
    fn adopt(
        &self,
        epoch: i64,
        mark: &Mark,
    ) -> impl Future<Output = Result<bool, DatabaseError>> + Send;

    /// The rows with `keys`; those that are not there are left out.
    fn known(
        &self,
        keys: &[Uuid],
    ) -> impl Future<Output = Result<Vec<<Self::Model as ReadModel>::Row>, DatabaseError>> + Send;

    /// Makes `step` and writes `changes`, all or nothing. `false` when position, epoch or stream are others.
    fn commit(
        &self,
        changes: &Changes<<Self::Model as ReadModel>::Changes>,
        step: Step,
    ) -> impl Future<Output = Result<bool, DatabaseError>> + Send;

    /// Leaves the search out until [`index`](Self::index), if the tables are empty and the epoch is not over.
    fn defer_search(&self, epoch: i64) -> impl Future<Output = Result<(), DatabaseError>> + Send;

    /// Makes the search over everything, if it was left out. `false` when the epoch is another.
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

    /// Where queries read.
    fn reads(&self) -> &Reads<Self::Sql>;

    /// Lets go of it.
    fn close(&self) -> impl Future<Output = ()> + Send;
}
