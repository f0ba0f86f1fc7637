//! The tables in PostgreSQL.

mod read;
mod search;
mod write;

use read_model::{DatabaseError, Schema};
use sqlx::{PgConnection, PgPool, Postgres, migrate::Migrator};
use uuid::Uuid;

use super::{
    Articles,
    rows::{ArticleRow, Changes},
};

impl Schema<Postgres> for Articles {
    const DIGEST: &'static [&'static str] = &[
        "SELECT json_build_array(created_position, id, title, content, author_id, slug, tags, version, created_at,
                                 updated_at, deleted)::text FROM articles ORDER BY created_position",
        "SELECT json_build_array(tag, created_position)::text FROM article_tags ORDER BY tag, created_position",
        "SELECT json_build_array(author_id, articles, created, last_activity, last_position)::text FROM authors ORDER BY author_id",
        "SELECT json_build_array(day, created, updated, deleted)::text FROM activity ORDER BY day",
    ];
    const LANDMARK: &'static str =
        "SELECT created_position, id FROM articles ORDER BY created_position DESC LIMIT 1";

    fn migrations() -> Migrator {
        sqlx::migrate!("migrations/postgres")
    }

    async fn known(pool: &PgPool, ids: &[Uuid]) -> Result<Vec<ArticleRow>, DatabaseError> {
        read::known(pool, ids).await
    }

    async fn write(
        tables: &mut PgConnection,
        changes: &Changes,
        _indexed: bool,
    ) -> Result<(), DatabaseError> {
        // The server keeps the index, if there is one.
        write::write(tables, changes).await
    }

    async fn before_fill(tables: &mut PgConnection) -> Result<(), DatabaseError> {
        sqlx::query("DROP INDEX IF EXISTS articles_search").execute(tables).await.map(drop)
    }

    async fn after_fill(tables: &mut PgConnection) -> Result<(), DatabaseError> {
        let index = "CREATE INDEX articles_search ON articles USING GIN (search) WITH (gin_pending_list_limit = 1024)";
        sqlx::query(index).execute(tables).await.map(drop)
    }
}
