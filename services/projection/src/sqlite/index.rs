//! The search of a rebuild, made in one go: an article that changed ten times is read once.

use sqlx::SqlitePool;

use crate::tables::DatabaseError;

pub(super) async fn defer(writer: &SqlitePool, epoch: i64) -> Result<(), DatabaseError> {
    sqlx::query("UPDATE progress SET indexed = 0 WHERE position = 0 AND epoch = ?")
        .bind(epoch)
        .execute(writer)
        .await?;
    Ok(())
}

pub(super) async fn index(writer: &SqlitePool, epoch: i64) -> Result<bool, DatabaseError> {
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
    let indexed: Option<bool> = sqlx::query_scalar("SELECT indexed FROM progress WHERE epoch = ?")
        .bind(epoch)
        .fetch_optional(&mut *transaction)
        .await?;
    if indexed == Some(false) {
        for statement in [
            "INSERT INTO articles_search (articles_search) VALUES ('rebuild')",
            "UPDATE progress SET indexed = 1",
        ] {
            sqlx::query(statement).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
    }
    Ok(indexed.is_some())
}
