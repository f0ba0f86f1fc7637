//! Which stream the tables are of.

use messaging::{Mark, consumer::Landmark};
use sqlx::SqlitePool;
use uuid::Uuid;

use crate::tables::{self, DatabaseError};

pub(super) async fn mark(readers: &SqlitePool) -> Result<Option<Mark>, DatabaseError> {
    let row: (i64, Option<String>, Option<i64>) =
        sqlx::query_as("SELECT position, stream, stored_at FROM progress")
            .fetch_one(readers)
            .await?;
    tables::mark(row)
}

pub(super) async fn landmark(readers: &SqlitePool) -> Result<Option<Landmark>, DatabaseError> {
    let newest: Option<(i64, Uuid)> = sqlx::query_as(
        "SELECT created_position, id FROM articles ORDER BY created_position DESC LIMIT 1",
    )
    .fetch_optional(readers)
    .await?;
    newest.map(tables::landmark).transpose()
}

pub(super) async fn adopt(
    writer: &SqlitePool,
    epoch: i64,
    mark: &Mark,
) -> Result<bool, DatabaseError> {
    let position =
        i64::try_from(mark.position).map_err(|error| DatabaseError::Encode(error.into()))?;
    let adopted = sqlx::query(
        "UPDATE progress SET stream = ?, stored_at = ? WHERE position = ? AND epoch = ?",
    )
    .bind(mark.stream.to_string())
    .bind(mark.stored_at)
    .bind(position)
    .bind(epoch)
    .execute(writer)
    .await?;
    Ok(adopted.rows_affected() == 1)
}
