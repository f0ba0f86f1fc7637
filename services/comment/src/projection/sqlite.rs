//! The tables in SQLite.

use contracts::comment::{FindComment, GetComment, ListComments, LiveComments};
use read_model::{Ask, DatabaseError, Reads, Schema, Seen, begin_on_sqlite, pieces};
use sqlx::{
    FromRow, QueryBuilder, Sqlite, SqliteConnection, SqlitePool, migrate::Migrator,
    sqlite::SqliteRow,
};
use uuid::Uuid;

use super::{
    Comments,
    fold::{ArticleRow, Changes, CommentRow, Row},
    queries::{Behind, Numbered, On},
};

impl Schema<Sqlite> for Comments {
    const DIGEST: &'static [&'static str] = &[
        "SELECT json_array(number, hex(id), hex(article_id), author_id, text, version, created_at, deleted)
         FROM comments ORDER BY number",
        "SELECT json_array(hex(id), deleted) FROM articles ORDER BY id",
    ];
    const LANDMARK: &'static str = "SELECT number, id FROM comments ORDER BY number DESC LIMIT 1";

    fn migrations() -> Migrator {
        sqlx::migrate!("migrations/sqlite")
    }

    async fn known(pool: &SqlitePool, keys: &[Uuid]) -> Result<Vec<Row>, DatabaseError> {
        let comments = of::<CommentRow>(pool, "SELECT * FROM comments WHERE id IN (", keys).await?;
        let articles = of::<ArticleRow>(pool, "SELECT * FROM articles WHERE id IN (", keys).await?;
        let comments = comments.into_iter().map(Row::Comment);
        Ok(comments.chain(articles.into_iter().map(Row::Article)).collect())
    }

    async fn write(
        tables: &mut SqliteConnection,
        changes: &Changes,
        _indexed: bool,
    ) -> Result<(), DatabaseError> {
        for rows in pieces(&changes.comments) {
            let mut query = QueryBuilder::<Sqlite>::new(
                "INSERT INTO comments (number, id, article_id, author_id, text, version, created_at, deleted) ",
            );
            query.push_values(rows, |mut values, row| {
                values
                    .push_bind(row.number)
                    .push_bind(row.id)
                    .push_bind(row.article_id)
                    .push_bind(&row.author_id)
                    .push_bind(&row.text)
                    .push_bind(row.version)
                    .push_bind(&row.created_at)
                    .push_bind(row.deleted);
            });
            query.push(
                " ON CONFLICT (number) DO UPDATE
                 SET text = excluded.text, version = excluded.version, deleted = excluded.deleted",
            );
            query.build().execute(&mut *tables).await?;
        }
        for rows in pieces(&changes.articles) {
            let mut query = QueryBuilder::<Sqlite>::new("INSERT INTO articles (id, deleted) ");
            query.push_values(rows, |mut values, row| {
                values.push_bind(row.id).push_bind(row.deleted);
            });
            query.push(" ON CONFLICT (id) DO UPDATE SET deleted = excluded.deleted");
            query.build().execute(&mut *tables).await?;
        }
        Ok(())
    }
}

/// The rows with `keys` that `select` names.
async fn of<R>(
    pool: &SqlitePool,
    select: &'static str,
    keys: &[Uuid],
) -> Result<Vec<R>, DatabaseError>
where
    R: for<'r> FromRow<'r, SqliteRow> + Send + Unpin,
{
    let mut found = Vec::new();
    for keys in pieces(keys) {
        let mut query = QueryBuilder::<Sqlite>::new(select);
        let mut list = query.separated(", ");
        for key in keys {
            list.push_bind(key);
        }
        query.push(")");
        found.extend(query.build_query_as::<R>().fetch_all(pool).await?);
    }
    Ok(found)
}

async fn one(
    tables: &Reads<Sqlite>,
    asked: Numbered,
) -> Result<Seen<On<Option<CommentRow>>>, DatabaseError> {
    let (mut state, position) = begin_on_sqlite(&tables.readers).await?;
    let article = sqlx::query_as("SELECT * FROM articles WHERE id = ?").bind(asked.article_id);
    let article = article.fetch_optional(&mut *state).await?;
    let comment = sqlx::query_as("SELECT * FROM comments WHERE number = ? AND article_id = ?");
    let comment = comment.bind(asked.number).bind(asked.article_id);
    let data = comment.fetch_optional(&mut *state).await?;
    Ok(Seen { position, data: On { article, data } })
}

async fn live(
    tables: &Reads<Sqlite>,
    page: Behind,
) -> Result<Seen<On<Vec<CommentRow>>>, DatabaseError> {
    let (mut state, position) = begin_on_sqlite(&tables.readers).await?;
    let article = sqlx::query_as("SELECT * FROM articles WHERE id = ?").bind(page.article_id);
    let article = article.fetch_optional(&mut *state).await?;
    let comments = sqlx::query_as(
        "SELECT * FROM comments WHERE article_id = ? AND deleted = 0 AND number > ? ORDER BY number LIMIT ?",
    );
    let comments = comments.bind(page.article_id).bind(page.after).bind(page.limit + 1);
    let data = comments.fetch_all(&mut *state).await?;
    Ok(Seen { position, data: On { article, data } })
}

impl Ask<Comments, Sqlite> for GetComment {
    async fn ask(
        tables: &Reads<Sqlite>,
        asked: Numbered,
    ) -> Result<Seen<Self::Rows>, DatabaseError> {
        one(tables, asked).await
    }
}

impl Ask<Comments, Sqlite> for FindComment {
    async fn ask(
        tables: &Reads<Sqlite>,
        asked: Numbered,
    ) -> Result<Seen<Self::Rows>, DatabaseError> {
        one(tables, asked).await
    }
}

impl Ask<Comments, Sqlite> for ListComments {
    async fn ask(tables: &Reads<Sqlite>, page: Behind) -> Result<Seen<Self::Rows>, DatabaseError> {
        live(tables, page).await
    }
}

impl Ask<Comments, Sqlite> for LiveComments {
    async fn ask(tables: &Reads<Sqlite>, page: Behind) -> Result<Seen<Self::Rows>, DatabaseError> {
        live(tables, page).await
    }
}
