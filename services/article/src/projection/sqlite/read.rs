//! Reading: each answer and its position from one state of the tables.

use contracts::article::{GetActivity, GetArticle, GetAuthor, ListArticles, ListAuthors};
use eventsourcing::UserId;
use read_model::{Ask, DatabaseError, Reads, Seen, begin_on_sqlite, number, pieces};
use sqlx::{FromRow, QueryBuilder, Row as _, Sqlite, SqlitePool};
use uuid::Uuid;

use crate::projection::{
    Articles,
    queries::Behind,
    rows::{ArticleRow, AuthorRow, DayRow, ListPage},
};

/// A row without its content.
pub(super) const SUMMARY: &str = "articles.created_position, id, articles.title, '' AS content, author_id, slug, tags, \
                                  version, created_at, updated_at, deleted";

pub(super) async fn known(
    pool: &SqlitePool,
    ids: &[Uuid],
) -> Result<Vec<ArticleRow>, DatabaseError> {
    let mut known = Vec::new();
    for ids in pieces(ids) {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT ");
        query.push(SUMMARY).push(" FROM articles WHERE id IN (");
        let mut list = query.separated(", ");
        for id in ids {
            list.push_bind(id);
        }
        query.push(")");
        let rows: Vec<ArticleRow> = query.build_query_as().fetch_all(pool).await?;
        known.extend(rows);
    }
    Ok(known)
}

impl Ask<Articles, Sqlite> for GetArticle {
    async fn ask(
        tables: &Reads<Sqlite>,
        id: Uuid,
    ) -> Result<Seen<Option<ArticleRow>>, DatabaseError> {
        // One statement sees one state, and is one trip to the database's thread.
        let row = sqlx::query(
            "SELECT position, created_position, id, title, content, author_id, slug, tags, version, created_at, updated_at,
                    deleted
             FROM progress LEFT JOIN articles ON id = ?",
        )
        .bind(id)
        .fetch_one(&tables.readers)
        .await?;
        let is_there = row.try_get::<Option<i64>, _>("created_position")?.is_some();
        let data = if is_there { Some(ArticleRow::from_row(&row)?) } else { None };
        Ok(Seen { position: number(row.try_get("position")?)?, data })
    }
}

impl Ask<Articles, Sqlite> for ListArticles {
    async fn ask(
        tables: &Reads<Sqlite>,
        page: ListPage,
    ) -> Result<Seen<Vec<ArticleRow>>, DatabaseError> {
        let (mut state, position) = begin_on_sqlite(&tables.readers).await?;
        let mut query = QueryBuilder::<Sqlite>::new("SELECT ");
        query.push(SUMMARY).push(" FROM ");
        match &page.tag {
            None => query.push("articles WHERE"),
            Some(tag) => query
                .push("article_tags JOIN articles USING (created_position) WHERE tag = ")
                .push_bind(tag)
                .push(" AND"),
        };
        query.push(" deleted = 0 AND articles.created_position < ");
        query.push_bind(page.before.unwrap_or(i64::MAX));
        if let Some(author) = &page.author {
            query.push(" AND author_id = ").push_bind(author.as_str());
        }
        if let Some(slug) = &page.slug {
            query.push(" AND slug = ").push_bind(slug);
        }
        query.push(" ORDER BY articles.created_position DESC LIMIT ").push_bind(page.limit + 1);
        let data = query.build_query_as().fetch_all(&mut *state).await?;
        Ok(Seen { position, data })
    }
}

impl Ask<Articles, Sqlite> for GetAuthor {
    async fn ask(
        tables: &Reads<Sqlite>,
        id: UserId,
    ) -> Result<Seen<Option<AuthorRow>>, DatabaseError> {
        let (mut state, position) = begin_on_sqlite(&tables.readers).await?;
        let author =
            sqlx::query_as("SELECT * FROM authors WHERE author_id = ?").bind(id.to_string());
        Ok(Seen { position, data: author.fetch_optional(&mut *state).await? })
    }
}

impl Ask<Articles, Sqlite> for ListAuthors {
    async fn ask(
        tables: &Reads<Sqlite>,
        page: Behind,
    ) -> Result<Seen<Vec<AuthorRow>>, DatabaseError> {
        let (mut state, position) = begin_on_sqlite(&tables.readers).await?;
        let authors =
            sqlx::query_as("SELECT * FROM authors WHERE author_id > ? ORDER BY author_id LIMIT ?");
        let data = authors.bind(page.after).bind(page.limit + 1).fetch_all(&mut *state).await?;
        Ok(Seen { position, data })
    }
}

impl Ask<Articles, Sqlite> for GetActivity {
    async fn ask(
        tables: &Reads<Sqlite>,
        (first, last): (String, String),
    ) -> Result<Seen<Vec<DayRow>>, DatabaseError> {
        let (mut state, position) = begin_on_sqlite(&tables.readers).await?;
        let days = sqlx::query_as("SELECT * FROM activity WHERE day BETWEEN ? AND ? ORDER BY day");
        let data = days.bind(first).bind(last).fetch_all(&mut *state).await?;
        Ok(Seen { position, data })
    }
}
