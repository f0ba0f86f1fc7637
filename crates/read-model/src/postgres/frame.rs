//! What every read model's tables in PostgreSQL have: how far they are, of which stream, and which events they lack.

use std::hash::{DefaultHasher, Hash, Hasher};

use futures_util::TryStreamExt;
use messaging::{Mark, consumer::Landmark};
use sqlx::{PgConnection, PgPool, Postgres};
use uuid::Uuid;

use crate::{
    model::{DatabaseError, Schema},
    number::{integer, number},
    reads::{POSITION, begin_on_postgres},
    tables::{self, Changes, Seen, Skipped, Step},
};

/// For what the stream does not bring again.
const DURABLE: &str = "SET LOCAL synchronous_commit = on";

const FRAME: [&str; 3] = [
    "CREATE TABLE progress (
         one       INTEGER PRIMARY KEY CHECK (one = 1),
         position  BIGINT NOT NULL,
         epoch     BIGINT NOT NULL,
         indexed   BOOLEAN NOT NULL,
         stream    TEXT,
         stored_at BIGINT
     )",
    "INSERT INTO progress VALUES (1, 0, 0, TRUE, NULL, NULL)",
    "CREATE TABLE skipped (
         position BIGINT PRIMARY KEY,
         subject  TEXT NOT NULL,
         reason   TEXT NOT NULL
     )",
];

/// Makes the frame in the schema of `tables`, unless it is there: the steps of the oldest read model make their own. Nobody else
/// may do that meanwhile.
pub(super) async fn make(tables: &mut PgConnection) -> Result<(), DatabaseError> {
    let is_there = "SELECT to_regclass('progress') IS NOT NULL";
    if !sqlx::query_scalar::<_, bool>(is_there).fetch_one(&mut *tables).await? {
        for statement in FRAME {
            sqlx::query(statement).execute(&mut *tables).await?;
        }
    }
    Ok(())
}

pub(super) async fn position(readers: &PgPool) -> Result<u64, DatabaseError> {
    sqlx::query_scalar(POSITION).fetch_one(readers).await.and_then(number)
}

pub(super) async fn mark(readers: &PgPool) -> Result<Option<Mark>, DatabaseError> {
    let row: (i64, Option<String>, Option<i64>) =
        sqlx::query_as("SELECT position, stream, stored_at FROM progress")
            .fetch_one(readers)
            .await?;
    tables::mark(row)
}

pub(super) async fn landmark<M: Schema<Postgres>>(
    readers: &PgPool,
) -> Result<Option<Landmark>, DatabaseError> {
    let newest: Option<(i64, Uuid)> = sqlx::query_as(M::LANDMARK).fetch_optional(readers).await?;
    newest.map(|newest| tables::landmark(M::CONTEXTS[0], newest)).transpose()
}

pub(super) async fn fence(writer: &PgPool, epoch: i64) -> Result<Option<u64>, DatabaseError> {
    let mut transaction = writer.begin().await?;
    // An epoch that a crash of the database forgot could be given to somebody else.
    sqlx::query(DURABLE).execute(&mut *transaction).await?;
    let position: Option<i64> =
        sqlx::query_scalar("UPDATE progress SET epoch = $1 WHERE epoch <= $1 RETURNING position")
            .bind(epoch)
            .fetch_optional(&mut *transaction)
            .await?;
    transaction.commit().await?;
    position.map(number).transpose()
}

pub(super) async fn adopt(writer: &PgPool, epoch: i64, mark: &Mark) -> Result<bool, DatabaseError> {
    let adopted = sqlx::query(
        "UPDATE progress SET stream = $1, stored_at = $2 WHERE position = $3 AND epoch = $4",
    )
    .bind(mark.stream.to_string())
    .bind(mark.stored_at)
    .bind(integer(mark.position)?)
    .bind(epoch)
    .execute(writer)
    .await?;
    Ok(adopted.rows_affected() == 1)
}

pub(super) async fn commit<M: Schema<Postgres>>(
    writer: &PgPool,
    changes: &Changes<M::Changes>,
    step: Step,
) -> Result<bool, DatabaseError> {
    let mut transaction = writer.begin().await?;
    if step.is_redrive() {
        sqlx::query(DURABLE).execute(&mut *transaction).await?;
    }
    let indexed: Option<bool> = sqlx::query_scalar(
        "UPDATE progress SET position = $1, stored_at = $2, stream = $3
         WHERE position = $4 AND epoch = $5 AND (stream IS NULL OR stream = $3) RETURNING indexed",
    )
    .bind(integer(step.to.position)?)
    .bind(step.to.stored_at)
    .bind(step.to.stream.to_string())
    .bind(integer(step.from)?)
    .bind(step.epoch)
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(indexed) = indexed else {
        transaction.rollback().await?;
        return Ok(false);
    };
    M::write(&mut transaction, &changes.model, indexed).await?;
    note(&mut transaction, &changes.skipped, &changes.redriven).await?;
    transaction.commit().await?;
    Ok(true)
}

/// Notes which events the tables lack, and which they lack no more.
async fn note(
    tables: &mut PgConnection,
    skipped: &[Skipped],
    redriven: &[i64],
) -> Result<(), DatabaseError> {
    if !redriven.is_empty() {
        sqlx::query("DELETE FROM skipped WHERE position = ANY ($1)")
            .bind(redriven)
            .execute(&mut *tables)
            .await?;
    }
    for row in skipped {
        sqlx::query("INSERT INTO skipped (position, subject, reason) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
            .bind(row.position)
            .bind(&row.subject)
            .bind(&row.reason)
            .execute(&mut *tables)
            .await?;
    }
    Ok(())
}

pub(super) async fn defer<M: Schema<Postgres>>(
    writer: &PgPool,
    epoch: i64,
) -> Result<(), DatabaseError> {
    let mut transaction = writer.begin().await?;
    let deferred =
        sqlx::query("UPDATE progress SET indexed = FALSE WHERE position = 0 AND epoch = $1")
            .bind(epoch)
            .execute(&mut *transaction)
            .await?;
    if deferred.rows_affected() > 0 {
        M::before_fill(&mut transaction).await?;
    }
    transaction.commit().await
}

pub(super) async fn index<M: Schema<Postgres>>(
    writer: &PgPool,
    epoch: i64,
) -> Result<bool, DatabaseError> {
    let mut transaction = writer.begin().await?;
    let indexed: Option<bool> =
        sqlx::query_scalar("SELECT indexed FROM progress WHERE epoch = $1 FOR UPDATE")
            .bind(epoch)
            .fetch_optional(&mut *transaction)
            .await?;
    if indexed == Some(false) {
        M::after_fill(&mut transaction).await?;
        sqlx::query("UPDATE progress SET indexed = TRUE").execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(indexed.is_some())
}

pub(super) async fn skipped(
    readers: &PgPool,
    after: i64,
    limit: i64,
) -> Result<Vec<Skipped>, DatabaseError> {
    let skipped =
        sqlx::query_as("SELECT * FROM skipped WHERE position > $1 ORDER BY position LIMIT $2");
    skipped.bind(after).bind(limit).fetch_all(readers).await
}

pub(super) async fn count_skipped(readers: &PgPool) -> Result<i64, DatabaseError> {
    sqlx::query_scalar("SELECT count(*) FROM skipped").fetch_one(readers).await
}

pub(super) async fn digest<M: Schema<Postgres>>(pool: &PgPool) -> Result<Seen<u64>, DatabaseError> {
    let (mut tables, position) = begin_on_postgres(pool).await?;
    let mut digest = DefaultHasher::new();
    // As text, so that one loop serves tables of every shape.
    for rows in M::DIGEST {
        let mut rows = sqlx::query_scalar::<_, String>(*rows).fetch(&mut *tables);
        while let Some(row) = rows.try_next().await? {
            row.hash(&mut digest);
        }
    }
    tables.rollback().await?;
    Ok(Seen { position, data: digest.finish() })
}
