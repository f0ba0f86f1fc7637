//! What every read model's tables in SQLite have: how far they are, of which stream, and which events they lack.

use std::hash::{DefaultHasher, Hash, Hasher};

use futures_util::TryStreamExt;
use messaging::{Mark, consumer::Landmark};
use sqlx::{Sqlite, SqlitePool, Transaction};
use uuid::Uuid;

use crate::{
    model::{DatabaseError, Schema},
    number::{integer, number},
    reads::{POSITION, begin_on_sqlite},
    sqlite::rows::each_of,
    tables::{self, Changes, Seen, Skipped, Step},
};

const FRAME: [&str; 3] = [
    "CREATE TABLE progress (
         one       INTEGER PRIMARY KEY CHECK (one = 1),
         position  INTEGER NOT NULL,
         epoch     INTEGER NOT NULL,
         indexed   INTEGER NOT NULL,
         stream    TEXT,
         stored_at INTEGER
     ) STRICT",
    "INSERT INTO progress VALUES (1, 0, 0, 1, NULL, NULL)",
    "CREATE TABLE skipped (
         position INTEGER PRIMARY KEY,
         subject  TEXT NOT NULL,
         reason   TEXT NOT NULL
     ) STRICT",
];

/// Makes the frame, unless it is there: the steps of the oldest read model make their own.
pub(super) async fn make(writer: &SqlitePool) -> Result<(), DatabaseError> {
    let count = "SELECT count(*) FROM sqlite_schema WHERE name = 'progress'";
    // A look writes nothing, so tables open on a full disk.
    if sqlx::query_scalar::<_, i64>(count).fetch_one(writer).await? > 0 {
        return Ok(());
    }
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
    // Another replica may have made it meanwhile.
    if sqlx::query_scalar::<_, i64>(count).fetch_one(&mut *transaction).await? == 0 {
        for statement in FRAME {
            sqlx::query(statement).execute(&mut *transaction).await?;
        }
    }
    transaction.commit().await
}

pub(super) async fn position(readers: &SqlitePool) -> Result<u64, DatabaseError> {
    sqlx::query_scalar(POSITION).fetch_one(readers).await.and_then(number)
}

pub(super) async fn mark(readers: &SqlitePool) -> Result<Option<Mark>, DatabaseError> {
    let row: (i64, Option<String>, Option<i64>) =
        sqlx::query_as("SELECT position, stream, stored_at FROM progress")
            .fetch_one(readers)
            .await?;
    tables::mark(row)
}

pub(super) async fn landmark<M: Schema<Sqlite>>(
    readers: &SqlitePool,
) -> Result<Option<Landmark>, DatabaseError> {
    let newest: Option<(i64, Uuid)> = sqlx::query_as(M::LANDMARK).fetch_optional(readers).await?;
    newest.map(|newest| tables::landmark(M::CONTEXTS[0], newest)).transpose()
}

pub(super) async fn fence(writer: &SqlitePool, epoch: i64) -> Result<Option<u64>, DatabaseError> {
    let position: Option<i64> =
        sqlx::query_scalar("UPDATE progress SET epoch = ?1 WHERE epoch <= ?1 RETURNING position")
            .bind(epoch)
            .fetch_optional(writer)
            .await?;
    position.map(number).transpose()
}

pub(super) async fn adopt(
    writer: &SqlitePool,
    epoch: i64,
    mark: &Mark,
) -> Result<bool, DatabaseError> {
    let adopted = sqlx::query(
        "UPDATE progress SET stream = ?, stored_at = ? WHERE position = ? AND epoch = ?",
    )
    .bind(mark.stream.to_string())
    .bind(mark.stored_at)
    .bind(integer(mark.position)?)
    .bind(epoch)
    .execute(writer)
    .await?;
    Ok(adopted.rows_affected() == 1)
}

pub(super) async fn commit<M: Schema<Sqlite>>(
    writer: &SqlitePool,
    changes: &Changes<M::Changes>,
    step: Step,
) -> Result<bool, DatabaseError> {
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
    let indexed: Option<bool> = sqlx::query_scalar(
        "UPDATE progress SET position = ?1, stored_at = ?2, stream = ?3
         WHERE position = ?4 AND epoch = ?5 AND (stream IS NULL OR stream = ?3) RETURNING indexed",
    )
    .bind(integer(step.to.position)?)
    .bind(step.to.stored_at)
    .bind(step.to.stream.to_string())
    .bind(integer(step.from)?)
    .bind(step.epoch)
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(indexed) = indexed else { return Ok(false) };
    M::write(&mut transaction, &changes.model, indexed).await?;
    note(&mut transaction, &changes.skipped, &changes.redriven).await?;
    transaction.commit().await?;
    Ok(true)
}

/// Notes which events the tables lack, and which they lack no more.
async fn note(
    transaction: &mut Transaction<'_, Sqlite>,
    skipped: &[Skipped],
    redriven: &[i64],
) -> Result<(), DatabaseError> {
    each_of(transaction, "DELETE FROM skipped WHERE position IN ", redriven).await?;
    for row in skipped {
        sqlx::query("INSERT INTO skipped (position, subject, reason) VALUES (?, ?, ?) ON CONFLICT DO NOTHING")
            .bind(row.position)
            .bind(&row.subject)
            .bind(&row.reason)
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}

pub(super) async fn defer<M: Schema<Sqlite>>(
    writer: &SqlitePool,
    epoch: i64,
) -> Result<(), DatabaseError> {
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
    let deferred = sqlx::query("UPDATE progress SET indexed = 0 WHERE position = 0 AND epoch = ?")
        .bind(epoch)
        .execute(&mut *transaction)
        .await?;
    if deferred.rows_affected() > 0 {
        M::before_fill(&mut transaction).await?;
    }
    transaction.commit().await
}

pub(super) async fn index<M: Schema<Sqlite>>(
    writer: &SqlitePool,
    epoch: i64,
) -> Result<bool, DatabaseError> {
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
    let indexed: Option<bool> = sqlx::query_scalar("SELECT indexed FROM progress WHERE epoch = ?")
        .bind(epoch)
        .fetch_optional(&mut *transaction)
        .await?;
    if indexed == Some(false) {
        M::after_fill(&mut transaction).await?;
        sqlx::query("UPDATE progress SET indexed = 1").execute(&mut *transaction).await?;
        transaction.commit().await?;
    }
    Ok(indexed.is_some())
}

pub(super) async fn skipped(
    readers: &SqlitePool,
    after: i64,
    limit: i64,
) -> Result<Vec<Skipped>, DatabaseError> {
    let skipped =
        sqlx::query_as("SELECT * FROM skipped WHERE position > ? ORDER BY position LIMIT ?");
    skipped.bind(after).bind(limit).fetch_all(readers).await
}

pub(super) async fn count_skipped(readers: &SqlitePool) -> Result<i64, DatabaseError> {
    sqlx::query_scalar("SELECT count(*) FROM skipped").fetch_one(readers).await
}

pub(super) async fn digest<M: Schema<Sqlite>>(
    readers: &SqlitePool,
) -> Result<Seen<u64>, DatabaseError> {
    let (mut tables, position) = begin_on_sqlite(readers).await?;
    let mut digest = DefaultHasher::new();
    // As text, so that one loop serves tables of every shape.
    for rows in M::DIGEST {
        let mut rows = sqlx::query_scalar::<_, String>(*rows).fetch(&mut *tables);
        while let Some(row) = rows.try_next().await? {
            row.hash(&mut digest);
        }
    }
    Ok(Seen { position, data: digest.finish() })
}
