//! The tables in PostgreSQL.

use contracts::comment::{FindComment, GetComment, ListComments, LiveComments};
use read_model::{Ask, DatabaseError, Reads, Schema, Seen, begin_on_postgres};
use sqlx::{PgConnection, PgPool, Postgres, migrate::Migrator};
use uuid::Uuid;

use super::{
    Comments,
    fold::{ArticleRow, Changes, CommentRow, Row},
    queries::{Behind, Numbered, On},
};

impl Schema<Postgres> for Comments {
    const DIGEST: &'static [&'static str] = &[
        "SELECT json_build_array(number, id, article_id, author_id, text, version, created_at, deleted)::text
         FROM comments ORDER BY number",
        "SELECT json_build_array(id, deleted)::text FROM articles ORDER BY id",
    ];
    const LANDMARK: &'static str = "SELECT number, id FROM comments ORDER BY number DESC LIMIT 1";

    fn migrations() -> Migrator {
        sqlx::migrate!("migrations/postgres")
    }

    async fn known(pool: &PgPool, keys: &[Uuid]) -> Result<Vec<Row>, DatabaseError> {
        let comments: Vec<CommentRow> =
            sqlx::query_as("SELECT * FROM comments WHERE id = ANY ($1)")
                .bind(keys)
                .fetch_all(pool)
                .await?;
        let articles: Vec<ArticleRow> =
            sqlx::query_as("SELECT * FROM articles WHERE id = ANY ($1)")
                .bind(keys)
                .fetch_all(pool)
                .await?;
        let comments = comments.into_iter().map(Row::Comment);
        Ok(comments.chain(articles.into_iter().map(Row::Article)).collect())
    }

    async fn write(
        tables: &mut PgConnection,
        changes: &Changes,
        _indexed: bool,
    ) -> Result<(), DatabaseError> {
        let Changes { comments, articles } = changes;
        if !comments.is_empty() {
            sqlx::query(
                "INSERT INTO comments (number, id, article_id, author_id, text, version, created_at, deleted)
                 SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::bigint[],
                                      $7::text[], $8::boolean[])
                 ON CONFLICT (number) DO UPDATE
                 SET text = excluded.text, version = excluded.version, deleted = excluded.deleted",
            )
            .bind(each(comments, |row| row.number))
            .bind(each(comments, |row| row.id))
            .bind(each(comments, |row| row.article_id))
            .bind(each(comments, |row| row.author_id.as_str()))
            .bind(each(comments, |row| row.text.as_str()))
            .bind(each(comments, |row| row.version))
            .bind(each(comments, |row| row.created_at.as_str()))
            .bind(each(comments, |row| row.deleted))
            .execute(&mut *tables)
            .await?;
        }
        if !articles.is_empty() {
            sqlx::query(
                "INSERT INTO articles (id, deleted) SELECT * FROM unnest($1::uuid[], $2::boolean[])
                 ON CONFLICT (id) DO UPDATE SET deleted = excluded.deleted",
            )
            .bind(each(articles, |row| row.id))
            .bind(each(articles, |row| row.deleted))
            .execute(tables)
            .await?;
        }
        Ok(())
    }
}

/// A column of `rows`.
fn each<'a, R, T>(rows: &'a [R], of: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(of).collect()
}

async fn one(
    tables: &Reads<Postgres>,
    asked: Numbered,
) -> Result<Seen<On<Option<CommentRow>>>, DatabaseError> {
    let (mut state, position) = begin_on_postgres(&tables.readers).await?;
    let article = sqlx::query_as("SELECT * FROM articles WHERE id = $1").bind(asked.article_id);
    let article = article.fetch_optional(&mut *state).await?;
    let comment = sqlx::query_as("SELECT * FROM comments WHERE number = $1 AND article_id = $2");
    let comment = comment.bind(asked.number).bind(asked.article_id);
    let data = comment.fetch_optional(&mut *state).await?;
    state.rollback().await?;
    Ok(Seen { position, data: On { article, data } })
}

async fn live(
    tables: &Reads<Postgres>,
    page: Behind,
) -> Result<Seen<On<Vec<CommentRow>>>, DatabaseError> {
    let (mut state, position) = begin_on_postgres(&tables.readers).await?;
    let article = sqlx::query_as("SELECT * FROM articles WHERE id = $1").bind(page.article_id);
    let article = article.fetch_optional(&mut *state).await?;
    let comments = sqlx::query_as(
        "SELECT * FROM comments WHERE article_id = $1 AND NOT deleted AND number > $2 ORDER BY number LIMIT $3",
    );
    let comments = comments.bind(page.article_id).bind(page.after).bind(page.limit + 1);
    let data = comments.fetch_all(&mut *state).await?;
    state.rollback().await?;
    Ok(Seen { position, data: On { article, data } })
}

impl Ask<Comments, Postgres> for GetComment {
    async fn ask(
        tables: &Reads<Postgres>,
        asked: Numbered,
    ) -> Result<Seen<Self::Rows>, DatabaseError> {
        one(tables, asked).await
    }
}

impl Ask<Comments, Postgres> for FindComment {
    async fn ask(
        tables: &Reads<Postgres>,
        asked: Numbered,
    ) -> Result<Seen<Self::Rows>, DatabaseError> {
        one(tables, asked).await
    }
}

impl Ask<Comments, Postgres> for ListComments {
    async fn ask(
        tables: &Reads<Postgres>,
        page: Behind,
    ) -> Result<Seen<Self::Rows>, DatabaseError> {
        live(tables, page).await
    }
}

impl Ask<Comments, Postgres> for LiveComments {
    async fn ask(
        tables: &Reads<Postgres>,
        page: Behind,
    ) -> Result<Seen<Self::Rows>, DatabaseError> {
        live(tables, page).await
    }
}
