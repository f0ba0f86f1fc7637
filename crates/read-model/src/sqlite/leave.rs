//! How a file is left at the end of the process.
//!
//! SQLite removes the two files beside a database, the log and its index, with the last connection, and needs room to make
//! them again, if only to read. On a full disk there is none. So the connection that writes is never closed: the end of the
//! process leaves both files, as a crash would, and the next start takes them as they are.

use std::mem;

use sqlx::SqlitePool;

/// Moves everything from the log into the file, and leaves the files as they are.
pub(super) async fn leave(writer: &SqlitePool) {
    // The log holds what could not be moved; the next start reads it from there.
    if let Err(error) = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(writer).await {
        tracing::warn!(%error, "the database keeps its log as it is");
    }
    mem::forget(writer.clone());
}
