//! The database of what was sent.

use std::time::Duration;

use eventsourcing::{EventId, RecordedEvent};
use sqlx::{
    Sqlite, SqlitePool,
    pool::PoolConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

/// How often opening the database is tried again.
const OPEN_ATTEMPTS: u32 = 5;
/// The pause between attempts.
const OPEN_PAUSE: Duration = Duration::from_millis(200);

/// What was sent. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pool: SqlitePool,
}

impl Record {
    /// Opens `database`, creates it when it is not there, and brings its table up to date.
    pub(crate) async fn open(database: SqliteConnectOptions) -> Result<Self, sqlx::Error> {
        let options = database
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // What was sent cannot be learnt again from anywhere: it is on disk before the event is done.
            .synchronous(SqliteSynchronous::Full);
        let mut attempts = 0;
        loop {
            // Two processes that start together both find the tables missing; one is refused, and finds them then.
            match Self::connect(options.clone()).await {
                Ok(record) => return Ok(record),
                Err(error) if attempts == OPEN_ATTEMPTS => return Err(error),
                Err(_) => attempts += 1,
            }
            tokio::time::sleep(OPEN_PAUSE).await;
        }
    }

    async fn connect(options: SqliteConnectOptions) -> Result<Self, sqlx::Error> {
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
        sqlx::migrate!().run(&pool).await?;
        Ok(Self { pool })
    }

    /// Which record this is: as long as it is not lost, the same for every process that uses it.
    pub(crate) async fn id(&self) -> Result<Uuid, sqlx::Error> {
        // One statement, so that of two processes that start together one makes it.
        sqlx::query("INSERT INTO record (id) SELECT ? WHERE NOT EXISTS (SELECT 1 FROM record)")
            .bind(Uuid::now_v7().to_string())
            .execute(&self.pool)
            .await?;
        let id: String = sqlx::query_scalar("SELECT id FROM record").fetch_one(&self.pool).await?;
        id.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
    }

    /// Whether the message for the event was sent.
    pub(crate) async fn has(&self, event: EventId) -> Result<bool, sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        let found = sqlx::query_scalar::<_, i64>("SELECT 1 FROM deliveries WHERE event_id = ?")
            .bind(event.to_string())
            .fetch_optional(&mut *connection)
            .await;
        Ok(settle(connection, found)?.is_some())
    }

    /// Notes that the message for `event` was sent.
    pub(crate) async fn add(&self, event: &RecordedEvent) -> Result<(), sqlx::Error> {
        let now = OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default();
        let mut connection = self.pool.acquire().await?;
        let added = sqlx::query(
            "INSERT OR IGNORE INTO deliveries (event_id, position, sent_at) VALUES (?, ?, ?)",
        )
        .bind(event.event.id.to_string())
        .bind(i64::try_from(event.position).unwrap_or(i64::MAX))
        .bind(now)
        .execute(&mut *connection)
        .await;
        settle(connection, added).map(|_| ())
    }

    /// Whether it can be written now: writes what is there already.
    pub(crate) async fn probe(&self) -> Result<(), sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        let written = sqlx::query("UPDATE record SET id = id").execute(&mut *connection).await;
        settle(connection, written).map(|_| ())
    }

    /// Lets go of the database.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

/// Passes `result` on. After an error the connection is not used again: what a full disk or a failing one did to its state
/// would outlast the cause.
fn settle<T>(
    mut connection: PoolConnection<Sqlite>,
    result: Result<T, sqlx::Error>,
) -> Result<T, sqlx::Error> {
    if result.is_err() {
        connection.close_on_drop();
    }
    result
}
