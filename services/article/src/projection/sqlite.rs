//! The tables in SQLite.

mod read;
mod search;
mod write;

use read_model::{DatabaseError, Schema};
use sqlx::{Sqlite, SqliteConnection, SqlitePool, migrate::Migrator};
use uuid::Uuid;

use super::{
    Articles,
    rows::{ArticleRow, Changes},
};

impl Schema<Sqlite> for Articles {
    const DIGEST: &'static [&'static str] = &[
        "SELECT json_array(created_position, hex(id), title, content, author_id, slug, tags, version, created_at,
                           updated_at, deleted) FROM articles ORDER BY created_position",
        "SELECT json_array(tag, created_position) FROM article_tags ORDER BY tag, created_position",
        "SELECT json_array(author_id, articles, created, last_activity, last_position) FROM authors ORDER BY author_id",
        "SELECT json_array(day, created, updated, deleted) FROM activity ORDER BY day",
    ];
    const LANDMARK: &'static str =
        "SELECT created_position, id FROM articles ORDER BY created_position DESC LIMIT 1";

    fn migrations() -> Migrator {
        sqlx::migrate!("migrations/sqlite")
    }

    async fn known(pool: &SqlitePool, ids: &[Uuid]) -> Result<Vec<ArticleRow>, DatabaseError> {
        read::known(pool, ids).await
    }

    async fn write(
        tables: &mut SqliteConnection,
        changes: &Changes,
        indexed: bool,
    ) -> Result<(), DatabaseError> {
        write::write(tables, changes, indexed).await
    }

    /// The search of a rebuild is made in one go: an article that changed ten times is read once.
    async fn after_fill(tables: &mut SqliteConnection) -> Result<(), DatabaseError> {
        let rebuild = "INSERT INTO articles_search (articles_search) VALUES ('rebuild')";
        sqlx::query(rebuild).execute(tables).await.map(drop)
    }
}
