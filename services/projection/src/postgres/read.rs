//! Reading: each answer and its position from one state of the tables.

use std::hash::{DefaultHasher, Hash, Hasher};

use eventsourcing::UserId;
use futures_util::TryStreamExt;
use sqlx::{FromRow, PgPool, Postgres, QueryBuilder, Row as _, Transaction};
use uuid::Uuid;

use crate::tables::{ArticleRow, AuthorRow, DatabaseError, DayRow, ListPage, Seen, Skipped};

/// A row without its content.
pub(super) const SUMMARY: &str = "articles.created_position, id, title, '' AS content, author_id, slug, tags, version, \
                                  created_at, updated_at, deleted";
const POSITION: &str = "SELECT position FROM progress";

pub(super) async fn position(readers: &PgPool) -> Result<u64, DatabaseError> {
    sqlx::query_scalar(POSITION).fetch_one(readers).await.and_then(number)
}

/// A transaction on one state of all tables, and that state's position.
pub(super) async fn begin(
    readers: &PgPool,
) -> Result<(Transaction<'static, Postgres>, u64), DatabaseError> {
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    let mut tables = readers.begin_with(begin).await?;
    let position = sqlx::query_scalar(POSITION).fetch_one(&mut *tables).await?;
    Ok((tables, number(position)?))
}

pub(super) async fn known(pool: &PgPool, ids: &[Uuid]) -> Result<Vec<ArticleRow>, DatabaseError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = QueryBuilder::<Postgres>::new("SELECT ");
    query.push(SUMMARY).push(" FROM articles WHERE id = ANY (").push_bind(ids).push(")");
    query.build_query_as().fetch_all(pool).await
}

pub(super) async fn get(
    readers: &PgPool,
    id: Uuid,
) -> Result<Seen<Option<ArticleRow>>, DatabaseError> {
    // One statement sees one state, and is one round trip.
    let row = sqlx::query(
        "SELECT position, created_position, id, title, content, author_id, slug, tags, version, created_at, updated_at,
                deleted
         FROM progress LEFT JOIN articles ON id = $1",
    )
    .bind(id)
    .fetch_one(readers)
    .await?;
    let is_there = row.try_get::<Option<i64>, _>("created_position")?.is_some();
    let data = if is_there { Some(ArticleRow::from_row(&row)?) } else { None };
    Ok(Seen { position: number(row.try_get("position")?)?, data })
}

pub(super) async fn list(
    readers: &PgPool,
    page: &ListPage,
) -> Result<Seen<Vec<ArticleRow>>, DatabaseError> {
    let (mut tables, position) = begin(readers).await?;
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
    query.push(" ORDER BY articles.created_position DESC LIMIT ").push_bind(page.limit);
    let data = query.build_query_as().fetch_all(&mut *tables).await?;
    tables.rollback().await?;
    Ok(Seen { position, data })
}

pub(super) async fn author(
    readers: &PgPool,
    id: &UserId,
) -> Result<Seen<Option<AuthorRow>>, DatabaseError> {
    let (mut tables, position) = begin(readers).await?;
    let author = sqlx::query_as("SELECT * FROM authors WHERE author_id = $1").bind(id.as_str());
    let data = author.fetch_optional(&mut *tables).await?;
    tables.rollback().await?;
    Ok(Seen { position, data })
}

pub(super) async fn authors(
    readers: &PgPool,
    after: &str,
    limit: i64,
) -> Result<Seen<Vec<AuthorRow>>, DatabaseError> {
    let (mut tables, position) = begin(readers).await?;
    let authors =
        sqlx::query_as("SELECT * FROM authors WHERE author_id > $1 ORDER BY author_id LIMIT $2");
    let data = authors.bind(after).bind(limit).fetch_all(&mut *tables).await?;
    tables.rollback().await?;
    Ok(Seen { position, data })
}

pub(super) async fn activity(
    readers: &PgPool,
    first: &str,
    last: &str,
) -> Result<Seen<Vec<DayRow>>, DatabaseError> {
    let (mut tables, position) = begin(readers).await?;
    let days = sqlx::query_as("SELECT * FROM activity WHERE day BETWEEN $1 AND $2 ORDER BY day");
    let data = days.bind(first).bind(last).fetch_all(&mut *tables).await?;
    tables.rollback().await?;
    Ok(Seen { position, data })
}

pub(super) async fn skipped(
    readers: &PgPool,
    after: i64,
    limit: i64,
) -> Result<Vec<Skipped>, DatabaseError> {
    let skipped =
        sqlx::query_as("SELECT * FROM skipped WHERE position > $1 ORDER BY position LIMIT $2");
    skipped.bind(after).bind(limit).fetch_all(readers).await
}

pub(super) async fn count_skipped(readers: &PgPool) -> Result<i64, DatabaseError> {
    sqlx::query_scalar("SELECT count(*) FROM skipped").fetch_one(readers).await
}

pub(super) async fn digest(pool: &PgPool) -> Result<Seen<u64>, DatabaseError> {
    let (mut tables, position) = begin(pool).await?;
    let mut digest = DefaultHasher::new();
    // As text, so that one loop serves tables of every shape.
    for rows in [
        "SELECT json_build_array(created_position, id, title, content, author_id, slug, tags, version, created_at,
                                 updated_at, deleted)::text FROM articles ORDER BY created_position",
        "SELECT json_build_array(tag, created_position)::text FROM article_tags ORDER BY tag, created_position",
        "SELECT json_build_array(author_id, articles, created, last_activity, last_position)::text FROM authors ORDER BY author_id",
        "SELECT json_build_array(day, created, updated, deleted)::text FROM activity ORDER BY day",
    ] {
        let mut rows = sqlx::query_scalar::<_, String>(rows).fetch(&mut *tables);
        while let Some(row) = rows.try_next().await? {
            row.hash(&mut digest);
        }
    }
    tables.rollback().await?;
    Ok(Seen { position, data: digest.finish() })
}

/// A number that is never negative.
pub(super) fn number(number: i64) -> Result<u64, DatabaseError> {
    u64::try_from(number).map_err(|error| DatabaseError::Decode(error.into()))
}
