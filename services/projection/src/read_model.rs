//! The database: opening it, its position, who waits for a position.

use std::time::Duration;

use sqlx::{
    Sqlite, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::sync::watch;

/// Reads that run at once.
const READERS: u32 = 4;
/// How long a writer waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The read model. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct ReadModel {
    writer: SqlitePool,
    readers: SqlitePool,
    position: watch::Sender<u64>,
}

impl ReadModel {
    /// Opens `database`, creates it when it is not there, and brings its tables up to date.
    pub(crate) async fn open(database: SqliteConnectOptions) -> Result<Self, sqlx::Error> {
        let options = database
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // Rows and position are lost or kept together, and what is lost comes again from the stream.
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(BUSY_TIMEOUT);
        let writer =
            SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
        sqlx::migrate!().run(&writer).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_with(options.read_only(true))
            .await?;
        Ok(Self { writer, readers, position: watch::Sender::new(0) })
    }

    /// A transaction that may write.
    pub(crate) async fn write(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        self.writer.begin().await
    }

    /// A transaction that sees one state of all tables, and that state's position.
    pub(crate) async fn read(
        &self,
        projector: &str,
    ) -> Result<(Transaction<'static, Sqlite>, u64), sqlx::Error> {
        let mut transaction = self.readers.begin().await?;
        let position = position(&mut transaction, projector).await?;
        Ok((transaction, position))
    }

    /// Tells whoever waits that everything up to `position` is committed.
    pub(crate) fn announce(&self, position: u64) {
        self.position.send_replace(position);
    }

    /// Whether everything up to `position` was committed within `max_wait`.
    pub(crate) async fn reaches(&self, position: u64, max_wait: Duration) -> bool {
        let mut committed = self.position.subscribe();
        let reached = committed.wait_for(|committed| *committed >= position);
        matches!(tokio::time::timeout(max_wait, reached).await, Ok(Ok(_)))
    }

    /// Lets go of the database.
    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// The position of `projector`; 0 when it has not begun.
pub(crate) async fn position(
    transaction: &mut Transaction<'static, Sqlite>,
    projector: &str,
) -> Result<u64, sqlx::Error> {
    let position: Option<i64> =
        sqlx::query_scalar("SELECT position FROM positions WHERE projector = ?")
            .bind(projector)
            .fetch_optional(&mut **transaction)
            .await?;
    Ok(position.and_then(|position| u64::try_from(position).ok()).unwrap_or(0))
}
