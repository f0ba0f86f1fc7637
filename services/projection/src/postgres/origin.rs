//! Which stream the tables are of.

use messaging::{Mark, consumer::Landmark};
use sqlx::PgPool;
use uuid::Uuid;

use crate::tables::{self, DatabaseError};

pub(super) async fn mark(readers: &PgPool) -> Result<Option<Mark>, DatabaseError> {
    let row: (i64, Option<String>, Option<i64>) =
        sqlx::query_as("SELECT position, stream, stored_at FROM progress")
            .fetch_one(readers)
            .await?;
    tables::mark(row)
}

pub(super) async fn landmark(readers: &PgPool) -> Result<Option<Landmark>, DatabaseError> {
    let newest: Option<(i64, Uuid)> = sqlx::query_as(
        "SELECT created_position, id FROM articles ORDER BY created_position DESC LIMIT 1",
    )
    .fetch_optional(readers)
    .await?;
    newest.map(tables::landmark).transpose()
}

pub(super) async fn adopt(writer: &PgPool, epoch: i64, mark: &Mark) -> Result<bool, DatabaseError> {
    let position =
        i64::try_from(mark.position).map_err(|error| DatabaseError::Encode(error.into()))?;
    let adopted = sqlx::query(
        "UPDATE progress SET stream = $1, stored_at = $2 WHERE position = $3 AND epoch = $4",
    )
    .bind(mark.stream.to_string())
    .bind(mark.stored_at)
    .bind(position)
    .bind(epoch)
    .execute(writer)
    .await?;
    Ok(adopted.rows_affected() == 1)
}
