//! The index of the search of a rebuild, made in one go.

use sqlx::PgPool;

use crate::tables::DatabaseError;

pub(super) async fn defer(writer: &PgPool, epoch: i64) -> Result<(), DatabaseError> {
    let mut transaction = writer.begin().await?;
    let deferred =
        sqlx::query("UPDATE progress SET indexed = FALSE WHERE position = 0 AND epoch = $1")
            .bind(epoch)
            .execute(&mut *transaction)
            .await?;
    if deferred.rows_affected() > 0 {
        sqlx::query("DROP INDEX IF EXISTS articles_search").execute(&mut *transaction).await?;
    }
    transaction.commit().await
}

pub(super) async fn index(writer: &PgPool, epoch: i64) -> Result<bool, DatabaseError> {
    let mut transaction = writer.begin().await?;
    let indexed: Option<bool> =
        sqlx::query_scalar("SELECT indexed FROM progress WHERE epoch = $1 FOR UPDATE")
            .bind(epoch)
            .fetch_optional(&mut *transaction)
            .await?;
    if indexed == Some(false) {
        for statement in [
            "CREATE INDEX articles_search ON articles USING GIN (search) WITH (gin_pending_list_limit = 1024)",
            "UPDATE progress SET indexed = TRUE",
        ] {
            sqlx::query(statement).execute(&mut *transaction).await?;
        }
    }
    transaction.commit().await?;
    Ok(indexed.is_some())
}
