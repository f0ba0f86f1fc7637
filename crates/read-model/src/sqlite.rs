//! The read model in SQLite: the catalog in one file, each generation in a file beside it.
//!
//! A file has one writer at a time, so a rebuild in a file of its own never holds up the live generation.

mod catalog;
mod frame;
mod leave;
mod lock;
mod rows;

use std::{
    marker::PhantomData,
    path::{Path, PathBuf},
    time::Duration,
};

use messaging::{Mark, consumer::Landmark};
use sqlx::{
    Connection as _, Sqlite, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use uuid::Uuid;

use self::lock::Lock;
pub use self::rows::{each_of, pieces};
use crate::{
    model::{DatabaseError, Schema},
    reads::Reads,
    tables::{Changes, Seen, Skipped, Step, Tables, migrations},
};

/// Reads that run at once.
const READERS: u32 = 4;
/// Searches that run at once, on connections of their own: one for a common word holds up no other read.
const SEARCHERS: u32 = 2;
/// How long a search waits for its turn.
const SEARCH_PATIENCE: Duration = Duration::from_secs(5);
/// How long a writer waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(3);
/// What a connection that writes keeps of the file in memory, and one that reads, in KiB (negative: SQLite's way to say
/// that it is no page count).
const WRITER_CACHE: &str = "-65536";
const READER_CACHE: &str = "-8192";

/// A folder's worth of files.
#[derive(Debug, Clone)]
pub struct SqliteDatabase<M> {
    path: PathBuf,
    catalog: SqlitePool,
    /// The same, for what must be on disk.
    durable: SqlitePool,
    lock: Lock,
    model: PhantomData<M>,
}

/// One generation's file.
#[derive(Debug, Clone)]
pub struct SqliteTables<M> {
    writer: SqlitePool,
    /// The same, for what must be on disk.
    durable: SqlitePool,
    reads: Reads<Sqlite>,
    model: PhantomData<M>,
}

impl<M> SqliteDatabase<M> {
    /// The database whose catalog is the file `path`.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        let options = pool(1);
        let lock = Lock::new(path.with_extension("lock"));
        let durable = durable(file(path.clone()));
        Self {
            catalog: options.connect_lazy_with(file(path.clone())),
            durable,
            path,
            lock,
            model: PhantomData,
        }
    }

    /// The file of the catalog.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file of the generation `number`: beside the catalog.
    fn generation(&self, number: i32) -> PathBuf {
        self.path.with_extension(format!("{number}.db"))
    }
}

fn file(path: PathBuf) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // Rows and position are lost or kept together, and what is lost comes again from the stream.
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("cache_size", WRITER_CACHE)
}

impl<M: Schema<Sqlite>> SqliteTables<M> {
    async fn open(path: PathBuf) -> Result<Self, DatabaseError> {
        let options = file(path);
        let writer = pool(1).connect_with(options.clone()).await?;
        migrations(M::migrations()).run(&writer).await?;
        frame::make(&writer).await?;
        let reads = Reads { readers: readers(&options), searchers: searchers(options.clone()) };
        Ok(Self { writer, durable: durable(options), reads, model: PhantomData })
    }

    /// Lets go of it as it is at the end of the process.
    async fn leave(&self) {
        self.reads.readers.close().await;
        self.reads.searchers.close().await;
        self.durable.close().await;
        leave::leave(&self.writer).await;
    }

    fn peek(path: PathBuf) -> Self {
        let readers = readers(&file(path).create_if_missing(false));
        let [writer, durable, searchers] = [readers.clone(), readers.clone(), readers.clone()];
        Self { writer, durable, reads: Reads { readers, searchers }, model: PhantomData }
    }
}

/// At most `connections`. One that still counts a transaction while nobody uses it is replaced: SQLite ends a transaction by
/// itself when the disk is full or fails, and the connection, which does not notice, would begin none any more.
fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new().max_connections(connections).before_acquire(|connection, _| {
        let is_usable = !connection.is_in_transaction();
        Box::pin(async move { Ok(is_usable) })
    })
}

fn durable(options: SqliteConnectOptions) -> SqlitePool {
    pool(1).connect_lazy_with(options.synchronous(SqliteSynchronous::Full))
}

fn readers(options: &SqliteConnectOptions) -> SqlitePool {
    pool(READERS)
        .connect_lazy_with(options.clone().read_only(true).pragma("cache_size", READER_CACHE))
}

fn searchers(options: SqliteConnectOptions) -> SqlitePool {
    let pool = pool(SEARCHERS).acquire_timeout(SEARCH_PATIENCE);
    pool.connect_lazy_with(options.read_only(true).pragma("cache_size", READER_CACHE))
}

impl<M: Schema<Sqlite>> Tables for SqliteTables<M> {
    type Model = M;
    type Sql = Sqlite;

    async fn fence(&self, epoch: i64) -> Result<Option<u64>, DatabaseError> {
        frame::fence(&self.writer, epoch).await
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
        frame::adopt(&self.writer, epoch, mark).await
    }

    async fn known(&self, keys: &[Uuid]) -> Result<Vec<M::Row>, DatabaseError> {
        // By the connection that writes: it has the pages at hand.
        M::known(&self.writer, keys).await
    }

    async fn commit(
        &self,
        changes: &Changes<M::Changes>,
        step: Step,
    ) -> Result<bool, DatabaseError> {
        let writer = if step.is_redrive() { &self.durable } else { &self.writer };
        frame::commit::<M>(writer, changes, step).await
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
        frame::digest::<M>(&self.reads.readers).await
    }

    fn reads(&self) -> &Reads<Sqlite> {
        &self.reads
    }

    async fn close(&self) {
        self.reads.readers.close().await;
        self.reads.searchers.close().await;
        self.durable.close().await;
        self.writer.close().await;
    }
}
