//! What a context says of its read model: which events it hears, what they change, and the SQL of that for each database.

use std::{fmt::Debug, future::Future};

use eventsourcing::RecordedEvent;
use messaging::consumer::Rejected;
use sqlx::{Pool, migrate::Migrator};
use uuid::Uuid;

/// The database failed, or a row is not what was written.
pub use sqlx::Error as DatabaseError;

/// What a read model is called where it must not meet another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Names {
    /// Its consumer on the stream; also what its dead letters, and the requests to redrive them, are addressed to.
    pub consumer: &'static str,
    /// What is behind `read-models` in the names of its files, and behind `newswire_projection` in those of its schemas: letters.
    pub storage: &'static str,
}

/// Rows that are nothing but a fold of events. Pure: it knows no database.
///
/// The engine keeps the position, so that each event is in the rows exactly once.
pub trait ReadModel: Clone + Debug + Send + Sync + 'static {
    /// How people call it: `articles`.
    const NAME: &'static str;
    /// What it is called on the stream and in the database. They are kept for ever: under another name it would be filled again.
    const NAMES: Names = Names { consumer: Self::NAME, storage: Self::NAME };
    /// The version of what the code makes of the events. Another number says that a rebuild is due.
    const VERSION: i64;
    /// The contexts whose events it hears; at least one. The first has the aggregates that rows are about.
    const CONTEXTS: &'static [&'static str];

    /// A row that a fold has to know before.
    type Row: Debug + Send + Sync + 'static;
    /// What a batch of events changes.
    type Changes: Debug + Default + Send + Sync + 'static;

    /// The keys of the rows that a fold of `events` has to know.
    fn keys(events: &[&RecordedEvent]) -> Vec<Uuid>;

    /// What `events`, which are in the order of the stream, change in rows of which these are `known`; and those that cannot be
    /// applied.
    fn fold(known: Vec<Self::Row>, events: &[&RecordedEvent]) -> (Self::Changes, Vec<Rejected>);
}

/// The tables of a read model in the database `DB`, and the SQL about them.
///
/// The tables of the frame, `progress` and `skipped`, are the engine's.
pub trait Schema<DB: sqlx::Database>: ReadModel {
    /// Statements whose rows, each one text, are all that the tables have, in a fixed order.
    const DIGEST: &'static [&'static str];
    /// The newest aggregate in the tables: the position of the event that created it, and its id. It tells of which stream the
    /// tables are.
    const LANDMARK: &'static str;

    /// The steps that make the tables, each but once. A step that came to a database stays.
    fn migrations() -> Migrator;

    /// The rows with `keys`; those that are not there are left out.
    fn known(
        pool: &Pool<DB>,
        keys: &[Uuid],
    ) -> impl Future<Output = Result<Vec<Self::Row>, DatabaseError>> + Send;

    /// Writes `changes`, as a part of the transaction on `tables`. `indexed` says whether the search has its index.
    fn write(
        tables: &mut DB::Connection,
        changes: &Self::Changes,
        indexed: bool,
    ) -> impl Future<Output = Result<(), DatabaseError>> + Send;

    /// Leaves out, before the empty `tables` are filled, what [`after_fill`](Self::after_fill) makes at once.
    fn before_fill(
        _tables: &mut DB::Connection,
    ) -> impl Future<Output = Result<(), DatabaseError>> + Send {
        async { Ok(()) }
    }

    /// Makes what was left out.
    fn after_fill(
        _tables: &mut DB::Connection,
    ) -> impl Future<Output = Result<(), DatabaseError>> + Send {
        async { Ok(()) }
    }
}
