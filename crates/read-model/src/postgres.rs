//! The read model in PostgreSQL: the catalog in one schema, each generation in a schema of its own.

mod catalog;
mod frame;
mod session;

use std::{collections::HashMap, fmt, marker::PhantomData, sync::Arc, time::Duration};

use messaging::{Mark, consumer::Landmark};
use sqlx::{
    PgConnection, PgPool, Postgres,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::sync::Mutex;
use uuid::Uuid;

use self::session::Session;
use crate::{
    model::{DatabaseError, ReadModel, Schema},
    reads::Reads,
    tables::{Changes, Seen, Skipped, Step, Tables},
};

/// Reads that run at once.
const READERS: u32 = 8;
/// Searches that run at once, on connections of their own: one for a common word holds up no other read.
const SEARCHERS: u32 = 3;
/// How long a step of whoever writes may take: a server that vanished does not say so.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);
/// How long a connection may take.
const CONNECT_PATIENCE: Duration = Duration::from_secs(2);
/// The schema of the catalog of the oldest read model, and what those of the others begin with.
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
pub struct PostgresDatabase<M> {
    options: PgConnectOptions,
    catalog: PgPool,
    /// Of whoever looks at the catalog: one that does not answer is thrown away, which a pool would wait with.
    looks: Arc<Mutex<Option<PgConnection>>>,
    /// Of whoever holds the lease.
    sessions: Arc<Mutex<HashMap<Uuid, Session>>>,
    model: PhantomData<M>,
}

/// One generation's schema.
#[derive(Clone)]
pub struct PostgresTables<M> {
    writer: PgPool,
    reads: Reads<Postgres>,
    model: PhantomData<M>,
}

/// The options would show their password.
impl<M> fmt::Debug for PostgresDatabase<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresDatabase")
            .field("host", &self.options.get_host())
            .field("port", &self.options.get_port())
            .finish_non_exhaustive()
    }
}

/// So would those of a pool.
impl<M> fmt::Debug for PostgresTables<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresTables").finish_non_exhaustive()
    }
}

impl<M: ReadModel> PostgresDatabase<M> {
    /// The database at `url`; `None` when it is not `postgres://user:password@host:port/db`.
    #[must_use]
    pub fn parse(url: &str) -> Option<Self> {
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
            .connect_lazy_with(in_schema(&options, &Self::catalog()));
        let (looks, sessions) = (Arc::default(), Arc::default());
        Some(Self { catalog, options, looks, sessions, model: PhantomData })
    }

    /// The schema of the catalog.
    fn catalog() -> String {
        match M::NAMES.storage {
            "" => CATALOG.to_owned(),
            storage => format!("{CATALOG}_{storage}"),
        }
    }

    /// An epoch that a crash of the database forgot could be given to somebody else.
    fn lease_options(&self) -> PgConnectOptions {
        in_schema(&self.options, &Self::catalog()).options([("synchronous_commit", "on")])
    }

    /// The schema of the generation `number`.
    fn schema(number: i32) -> String {
        format!("{}_{number}", Self::catalog())
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

impl<M> PostgresTables<M> {
    fn new(options: &PgConnectOptions, schema: &str) -> Self {
        let options = in_schema(options, schema);
        // A question that takes longer than anybody waits for its answer is not worth its cost.
        let asking = options.clone().options([("statement_timeout", "5s")]);
        let searching = options.clone().options([("statement_timeout", "3s")]);
        Self {
            // Two: the one that a step was given up on may take long to go.
            writer: pool(options, 2),
            reads: Reads { readers: pool(asking, READERS), searchers: pool(searching, SEARCHERS) },
            model: PhantomData,
        }
    }
}

impl<M: Schema<Postgres>> Tables for PostgresTables<M> {
    type Model = M;
    type Sql = Postgres;

    async fn fence(&self, epoch: i64) -> Result<Option<u64>, DatabaseError> {
        in_time(frame::fence(&self.writer, epoch)).await
    }

    async fn position(&self) -> Result<u64, DatabaseError> {
        frame::position(&self.reads.readers).await
    }

    async fn mark(&self) -> Result<Option<Mark>, DatabaseError> {
        frame::mark(&self.reads.readers).await
    }

    async fn landmark(&self) -> Result<Option<Landmark>, DatabaseError> {
        frame::landmark::<M>(&self.reads.readers).await
    }

    async fn adopt(&self, epoch: i64, mark: &Mark) -> Result<bool, DatabaseError> {
        in_time(frame::adopt(&self.writer, epoch, mark)).await
    }

    async fn known(&self, keys: &[Uuid]) -> Result<Vec<M::Row>, DatabaseError> {
        in_time(M::known(&self.writer, keys)).await
    }

    async fn commit(
        &self,
        changes: &Changes<M::Changes>,
        step: Step,
    ) -> Result<bool, DatabaseError> {
        in_time(frame::commit::<M>(&self.writer, changes, step)).await
    }

    async fn defer_search(&self, epoch: i64) -> Result<(), DatabaseError> {
        frame::defer::<M>(&self.writer, epoch).await
    }

    async fn index(&self, epoch: i64) -> Result<bool, DatabaseError> {
        frame::index::<M>(&self.writer, epoch).await
    }

    async fn skipped(&self, after: i64, limit: i64) -> Result<Vec<Skipped>, DatabaseError> {
        frame::skipped(&self.reads.readers, after, limit).await
    }

    async fn count_skipped(&self) -> Result<i64, DatabaseError> {
        frame::count_skipped(&self.reads.readers).await
    }

    async fn digest(&self) -> Result<Seen<u64>, DatabaseError> {
        // By the writer, whose statements may take their time.
        frame::digest::<M>(&self.writer).await
    }

    fn reads(&self) -> &Reads<Postgres> {
        &self.reads
    }

    async fn close(&self) {
        self.reads.readers.close().await;
        self.reads.searchers.close().await;
        self.writer.close().await;
    }
}
