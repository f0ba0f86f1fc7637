//! Reading: each answer and its position from one state of the tables.

use contracts::article::{GetActivity, GetArticle, GetAuthor, ListArticles, ListAuthors};
use eventsourcing::UserId;
use read_model::{Ask, DatabaseError, Reads, Seen, begin_on_postgres, number};
use sqlx::{FromRow, PgPool, Postgres, QueryBuilder, Row as _};
use uuid::Uuid;

use crate::projection::{
    Articles,
    queries::Behind,
    rows::{ArticleRow, AuthorRow, DayRow, ListPage},
};

/// A row without its content.
pub(super) const SUMMARY: &str = "articles.created_position, id, title, '' AS content, author_id, slug, tags, version, \
                                  created_at, updated_at, deleted";

pub(super) async fn known(pool: &PgPool, ids: &[Uuid]) -> Result<Vec<ArticleRow>, DatabaseError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = QueryBuilder::<Postgres>::new("SELECT ");
    query.push(SUMMARY).push(" FROM articles WHERE id = ANY (").push_bind(ids).push(")");
    query.build_query_as().fetch_all(pool).await
}

impl Ask<Articles, Postgres> for GetArticle {
    async fn ask(
        tables: &Reads<Postgres>,
        id: Uuid,
    ) -> Result<Seen<Option<ArticleRow>>, DatabaseError> {
        // One statement sees one state, and is one round trip.
        let row = sqlx::query(
            "SELECT position, created_position, id, title, content, author_id, slug, tags, version, created_at, updated_at,
                    deleted
             FROM progress LEFT JOIN articles ON id = $1",
        )
        .bind(id)
        .fetch_one(&tables.readers)
        .await?;
        let is_there = row.try_get::<Option<i64>, _>("created_position")?.is_some();
        let data = if is_there { Some(ArticleRow::from_row(&row)?) } else { None };
        Ok(Seen { position: number(row.try_get("position")?)?, data })
    }
}

impl Ask<Articles, Postgres> for ListArticles {
    async fn ask(
        tables: &Reads<Postgres>,
        page: ListPage,
    ) -> Result<Seen<Vec<ArticleRow>>, DatabaseError> {
        let (mut state, position) = begin_on_postgres(&tables.readers).await?;
        let mut query = QueryBuilder::<Postgres>::new("SELECT ");
        query.push(SUMMARY).push(" FROM ");
        match &page.tag {
            None => query.push("articles WHERE"),
            Some(tag) => query
                .push("article_tags JOIN articles USING (created_position) WHERE tag = ")
                .push_bind(tag)
                .push(" AND"),
        };
        query.push(" NOT deleted AND articles.created_position < ");
        query.push_bind(page.before.unwrap_or(i64::MAX));
        if let Some(author) = &page.author {
            query.push(" AND author_id = ").push_bind(author.as_str());
        }
        if let Some(slug) = &page.slug {
            query.push(" AND slug = ").push_bind(slug);
        }
        query.push(" ORDER BY articles.created_position DESC LIMIT ").push_bind(page.limit + 1);
        let data = query.build_query_as().fetch_all(&mut *state).await?;
        state.rollback().await?;
        Ok(Seen { position, data })
    }
}

impl Ask<Articles, Postgres> for GetAuthor {
    async fn ask(
        tables: &Reads<Postgres>,
        id: UserId,
    ) -> Result<Seen<Option<AuthorRow>>, DatabaseError> {
        let (mut state, position) = begin_on_postgres(&tables.readers).await?;
        let author =
            sqlx::query_as("SELECT * FROM authors WHERE author_id = $1").bind(id.to_string());
        let data = author.fetch_optional(&mut *state).await?;
        state.rollback().await?;
        Ok(Seen { position, data })
    }
}

impl Ask<Articles, Postgres> for ListAuthors {
    async fn ask(
        tables: &Reads<Postgres>,
        page: Behind,
    ) -> Result<Seen<Vec<AuthorRow>>, DatabaseError> {
        let (mut state, position) = begin_on_postgres(&tables.readers).await?;
        let authors = sqlx::query_as(
            "SELECT * FROM authors WHERE author_id > $1 ORDER BY author_id LIMIT $2",
        );
        let data = authors.bind(page.after).bind(page.limit + 1).fetch_all(&mut *state).await?;
        state.rollback().await?;
        Ok(Seen { position, data })
    }
}

impl Ask<Articles, Postgres> for GetActivity {
    async fn ask(
        tables: &Reads<Postgres>,
        (first, last): (String, String),
    ) -> Result<Seen<Vec<DayRow>>, DatabaseError> {
        let (mut state, position) = begin_on_postgres(&tables.readers).await?;
        let days =
            sqlx::query_as("SELECT * FROM activity WHERE day BETWEEN $1 AND $2 ORDER BY day");
        let data = days.bind(first).bind(last).fetch_all(&mut *state).await?;
        state.rollback().await?;
        Ok(Seen { position, data })
    }
}
