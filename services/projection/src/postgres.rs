//! The read model in PostgreSQL: the catalog in one schema, each generation in a schema of its own.

mod catalog;
mod index;
mod origin;
mod read;
mod search;
mod write;

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use messaging::{Mark, consumer::Landmark};
use sqlx::{
    PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::sync::Mutex;
use uuid::Uuid;

use self::catalog::Session;
use crate::tables::{
    ArticleRow, AuthorRow, Changes, DatabaseError, DayRow, Found, ListPage, SearchPage, Seen,
    Skipped, Step, Tables,
};

/// Reads that run at once.
const READERS: u32 = 8;
/// Searches that run at once, on connections of their own: one for a common word holds up no other read.
const SEARCHERS: u32 = 3;
/// How long a step of whoever writes may take: a server that vanished does not say so.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);
/// How long a connection may take.
const CONNECT_PATIENCE: Duration = Duration::from_secs(2);
/// The schema of the catalog.
const CATALOG: &str = "newswire_projection";

/// What every session of ours is.
const SESSION: [(&str, &str); 11] = [
    // Compiling a statement takes longer than any of ours.
    ("jit", "off"),
    // That something exists already is no news.
    ("client_min_messages", "warning"),
    // Rows and position are lost or kept together, and what is lost comes again from the stream.
    ("synchronous_commit", "off"),
    // Everything is looked up by an index. A plan that was made while a table was small, and is kept, must not read all
    // of it when it is large.
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    // Whoever vanishes must not hold up the others.
    ("lock_timeout", "3s"),
    ("idle_in_transaction_session_timeout", "3s"),
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
];

/// A PostgreSQL database.
#[derive(Clone)]
pub(crate) struct PostgresDatabase {
    options: PgConnectOptions,
    catalog: PgPool,
    /// Of whoever looks at the catalog: one that does not answer is thrown away, which a pool would wait with.
    looks: Arc<Mutex<Option<PgConnection>>>,
    /// Of whoever holds the lease.
    sessions: Arc<Mutex<HashMap<Uuid, Session>>>,
}

/// One generation's schema.
#[derive(Clone)]
pub(crate) struct PostgresTables {
    writer: PgPool,
    readers: PgPool,
    searchers: PgPool,
}

/// The options would show their password.
impl fmt::Debug for PostgresDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresDatabase")
            .field("host", &self.options.get_host())
            .field("port", &self.options.get_port())
            .finish_non_exhaustive()
    }
}

/// So would those of a pool.
impl fmt::Debug for PostgresTables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresTables").finish_non_exhaustive()
    }
}

impl PostgresDatabase {
    /// The database at `url`; `None` when it is not `postgres://user:password@host:port/db`.
    pub(crate) fn parse(url: &str) -> Option<Self> {
        if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
            return None;
        }
        let options: PgConnectOptions = url.parse().ok()?;
        let options = options.application_name("newswire-projection").options(SESSION);
        // Rarely used, and by people: one that broke meanwhile is replaced before anybody meets it.
        let catalog = PgPoolOptions::new()
            .max_connections(2)
            .acquire_timeout(CONNECT_PATIENCE)
            .test_before_acquire(true)
            .connect_lazy_with(in_schema(&options, CATALOG));
        Some(Self { catalog, options, looks: Arc::default(), sessions: Arc::default() })
    }

    /// An epoch that a crash of the database forgot could be given to somebody else.
    fn lease_options(&self) -> PgConnectOptions {
        in_schema(&self.options, CATALOG).options([("synchronous_commit", "on")])
    }

    /// The schema of the generation `number`.
    fn schema(number: i32) -> String {
        format!("{CATALOG}_{number}")
    }
}

fn in_schema(options: &PgConnectOptions, schema: &str) -> PgConnectOptions {
    options.clone().options([("search_path", schema)])
}

fn pool(options: PgConnectOptions, connections: u32) -> PgPool {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(CONNECT_PATIENCE)
        // A round trip before each statement would be dear; a connection that broke is an error once.
        .test_before_acquire(false)
        .connect_lazy_with(options)
}

/// What comes of `step`, or an error when that takes too long.
async fn in_time<T>(
    step: impl Future<Output = Result<T, DatabaseError>>,
) -> Result<T, DatabaseError> {
    let done = tokio::time::timeout(WRITE_PATIENCE, step);
    done.await.unwrap_or(Err(DatabaseError::PoolTimedOut))
}

impl PostgresTables {
    fn new(options: &PgConnectOptions, schema: &str) -> Self {
        let options = in_schema(options, schema);
        // A question that takes longer than anybody waits for its answer is not worth its cost.
        let asking = options.clone().options([("statement_timeout", "5s")]);
        let searching = options.clone().options([("statement_timeout", "3s")]);
        Self {
            // Two: the one that a step was given up on may take long to go.
            writer: pool(options, 2),
            readers: pool(asking, READERS),
            searchers: pool(searching, SEARCHERS),
        }
    }
}

impl Tables for PostgresTables {
    async fn fence(&self, epoch: i64) -> Result<Option<u64>, DatabaseError> {
        in_time(write::fence(&self.writer, epoch)).await
    }

    async fn position(&self) -> Result<u64, DatabaseError> {
        read::position(&self.readers).await
    }

    async fn mark(&self) -> Result<Option<Mark>, DatabaseError> {
        origin::mark(&self.readers).await
    }

    async fn landmark(&self) -> Result<Option<Landmark>, DatabaseError> {
        origin::landmark(&self.readers).await
    }

    async fn adopt(&self, epoch: i64, mark: &Mark) -> Result<bool, DatabaseError> {
        in_time(origin::adopt(&self.writer, epoch, mark)).await
    }

    async fn known(&self, ids: &[Uuid]) -> Result<Vec<ArticleRow>, DatabaseError> {
        in_time(read::known(&self.writer, ids)).await
    }

    async fn commit(&self, changes: &Changes, step: Step) -> Result<bool, DatabaseError> {
        in_time(write::commit(&self.writer, changes, step)).await
    }

    async fn defer_search(&self, epoch: i64) -> Result<(), DatabaseError> {
        index::defer(&self.writer, epoch).await
    }

    async fn index(&self, epoch: i64) -> Result<bool, DatabaseError> {
        index::index(&self.writer, epoch).await
    }

    async fn skipped(&self, after: i64, limit: i64) -> Result<Vec<Skipped>, DatabaseError> {
        read::skipped(&self.readers, after, limit).await
    }

    async fn count_skipped(&self) -> Result<i64, DatabaseError> {
        read::count_skipped(&self.readers).await
    }

    async fn digest(&self) -> Result<Seen<u64>, DatabaseError> {
        // By the writer, whose statements may take their time.
        read::digest(&self.writer).await
    }

    async fn get(&self, id: Uuid) -> Result<Seen<Option<ArticleRow>>, DatabaseError> {
        read::get(&self.readers, id).await
    }

    async fn list(&self, page: &ListPage) -> Result<Seen<Vec<ArticleRow>>, DatabaseError> {
        read::list(&self.readers, page).await
    }

    async fn search(&self, page: &SearchPage) -> Result<Seen<Found>, DatabaseError> {
        search::search(&self.searchers, page).await
    }

    async fn author(
        &self,
        id: &eventsourcing::UserId,
    ) -> Result<Seen<Option<AuthorRow>>, DatabaseError> {
        read::author(&self.readers, id).await
    }

    async fn authors(
        &self,
        after: &str,
        limit: i64,
    ) -> Result<Seen<Vec<AuthorRow>>, DatabaseError> {
        read::authors(&self.readers, after, limit).await
    }

    async fn activity(&self, first: &str, last: &str) -> Result<Seen<Vec<DayRow>>, DatabaseError> {
        read::activity(&self.readers, first, last).await
    }

    async fn close(&self) {
        self.readers.close().await;
        self.searchers.close().await;
        self.writer.close().await;
    }
}
