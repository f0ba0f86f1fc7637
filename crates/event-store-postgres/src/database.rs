//! Reaching the database.

use std::{fmt, future::Future, num::NonZeroU32, time::Duration};

use anyhow::Context as _;
use messaging::consumer::Backoff;
use sqlx::{
    AssertSqlSafe, Connection as _, PgPool,
    migrate::MigrateError,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio_util::sync::CancellationToken;

use crate::Namespace;

/// How long the database may take; it gives up by itself a little earlier.
pub(crate) const DATABASE_PATIENCE: Duration = Duration::from_secs(4);
/// How long a connection may take.
pub(crate) const CONNECT_PATIENCE: Duration = Duration::from_secs(2);
/// A connection that was idle for longer is tried before it is used.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);
/// The pauses between attempts at the start.
const START_BACKOFF: Backoff =
    Backoff { base: Duration::from_millis(50), max: Duration::from_secs(1) };
/// How many failed attempts are nothing to speak of: whoever starts both starts us first.
const QUIET_ATTEMPTS: u32 = 8;

/// What every session of ours is.
const SESSION: [(&str, &str); 10] = [
    // Compiling a statement takes longer than any of ours.
    ("jit", "off"),
    // Everything is looked up by its key. A plan that was made while a table was small, and is kept, must not read
    // all of it when it is large.
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    // Whoever vanishes must not hold up the others.
    ("statement_timeout", "3s"),
    ("lock_timeout", "2s"),
    ("idle_in_transaction_session_timeout", "5s"),
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
];

/// A PostgreSQL database, and how to connect to it.
#[derive(Clone)]
pub struct Database {
    options: PgConnectOptions,
    namespace: Namespace,
    max_connections: NonZeroU32,
}

/// The options would show their password.
impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("host", &self.options.get_host())
            .field("port", &self.options.get_port())
            .field("max_connections", &self.max_connections)
            .finish_non_exhaustive()
    }
}

impl Database {
    /// The database at `url`, of which the service has `namespace`, with at most `max_connections` beside the relay's;
    /// `None` when it is not `postgres://user:password@host:port/db`.
    #[must_use]
    pub fn parse(url: &str, namespace: Namespace, max_connections: NonZeroU32) -> Option<Self> {
        if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
            return None;
        }
        let options: PgConnectOptions = url.parse().ok()?;
        let mut options = options.application_name(&format!("newswire-{}", namespace.service()));
        if let Some(schema) = namespace.schema() {
            options = options.options([("search_path", schema)]);
        }
        Some(Self { options, namespace, max_connections })
    }

    /// What the service has of it.
    pub(crate) fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Brings the tables up to date, waiting for the database as long as it takes; `false` after `stop`.
    pub(crate) async fn prepare(&self, stop: &CancellationToken) -> anyhow::Result<bool> {
        for attempt in 1.. {
            let migrated = tokio::select! {
                () = stop.cancelled() => return Ok(false),
                migrated = self.migrate() => migrated,
            };
            match migrated {
                Ok(()) => break,
                Err(error) if !is_passing(&error) => {
                    let service = self.namespace.service();
                    return Err(error).context(format!("preparing {service}.database failed"));
                }
                Err(error) if attempt == QUIET_ATTEMPTS => {
                    tracing::warn!(%error, "waiting for the database");
                }
                Err(_) => {}
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(false),
                () = tokio::time::sleep(START_BACKOFF.pause(attempt)) => {}
            }
        }
        Ok(true)
    }

    /// Replicas that start together take turns: the migrator has a lock in the database.
    async fn migrate(&self) -> Result<(), MigrateError> {
        let options = PgPoolOptions::new().max_connections(1).acquire_timeout(CONNECT_PATIENCE);
        let pool = options.connect_with(self.options.clone()).await?;
        if let Some(schema) = self.namespace.schema() {
            // Two replicas that make it at once would fail. The lock ends with the transaction of both statements.
            let making = format!(
                "SELECT pg_advisory_xact_lock({lock}); CREATE SCHEMA IF NOT EXISTS {schema}",
                lock = self.namespace.lock()
            );
            sqlx::raw_sql(AssertSqlSafe(making)).execute(&pool).await?;
        }
        let migrated = sqlx::migrate!().run(&pool).await;
        pool.close().await;
        migrated
    }

    /// Connections for commands, made when they are needed.
    pub(crate) fn pool(&self) -> PgPool {
        PgPoolOptions::new()
            .max_connections(self.max_connections.get())
            .acquire_timeout(CONNECT_PATIENCE)
            // A round trip before each statement would be dear.
            .test_before_acquire(false)
            .before_acquire(|connection, usage| {
                Box::pin(async move {
                    if usage.idle_for > TRUSTED_IDLE {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .connect_lazy_with(self.options.clone().options(SESSION))
    }

    /// The one connection of the relay.
    pub(crate) async fn relay_pool(&self) -> Result<PgPool, sqlx::Error> {
        // What the relay writes is in the stream too: it need not wait for the disk.
        let options = self.options.clone().options(SESSION);
        PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(CONNECT_PATIENCE)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options.options([
                ("synchronous_commit", "off"),
                // A frozen process keeps its connection, and with it the lock: the database ends what is silent.
                ("idle_session_timeout", "20s"),
            ]))
            .await
    }
}

/// Why the service is not ready, if `connected` says that it is not.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the health passes what it watches")]
pub(crate) fn problem(connected: &bool) -> Option<String> {
    (!connected).then(|| "not connected to the database".to_owned())
}

/// Whether trying again may help: nobody listens, or the database starts, stops or has no room.
fn is_passing(error: &MigrateError) -> bool {
    let (MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) = error else {
        return false;
    };
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => true,
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            // The classes "insufficient resources", "operator intervention", "transaction rollback".
            ["53", "57", "40"].iter().any(|class| code.starts_with(class))
        }
        _ => false,
    }
}

/// `act`, or an error when it takes too long.
pub(crate) async fn bounded<T>(
    act: impl Future<Output = Result<T, sqlx::Error>>,
) -> anyhow::Result<T> {
    within(DATABASE_PATIENCE, act).await
}

/// `act`, or an error when it takes longer than `patience`.
pub(crate) async fn within<T>(
    patience: Duration,
    act: impl Future<Output = Result<T, sqlx::Error>>,
) -> anyhow::Result<T> {
    let done = tokio::time::timeout(patience, act).await;
    Ok(done.context("the database did not answer")??)
}
