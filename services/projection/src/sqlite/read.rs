//! Reading: each answer and its position from one state of the tables.

use std::hash::{DefaultHasher, Hash, Hasher};

use eventsourcing::UserId;
use futures_util::TryStreamExt;
use sqlx::{Acquire, FromRow, QueryBuilder, Row as _, Sqlite, SqlitePool, Transaction};
use uuid::Uuid;

use crate::tables::{ArticleRow, AuthorRow, DatabaseError, DayRow, ListPage, Seen, Skipped};

/// A row without its content.
pub(super) const SUMMARY: &str = "articles.created_position, id, articles.title, '' AS content, author_id, slug, tags, \
                                  version, created_at, updated_at, deleted";
const POSITION: &str = "SELECT position FROM progress";

pub(super) async fn position(readers: &SqlitePool) -> Result<u64, DatabaseError> {
    sqlx::query_scalar(POSITION).fetch_one(readers).await.and_then(number)
}

/// A transaction on one state of all tables, and that state's position.
pub(super) async fn begin<'c>(
    readers: impl Acquire<'c, Database = Sqlite>,
) -> Result<(Transaction<'c, Sqlite>, u64), DatabaseError> {
    let mut tables = readers.begin().await?;
    let position = sqlx::query_scalar(POSITION).fetch_one(&mut *tables).await?;
    Ok((tables, number(position)?))
}

pub(super) async fn known(
    pool: &SqlitePool,
    ids: &[Uuid],
) -> Result<Vec<ArticleRow>, DatabaseError> {
    let mut known = Vec::new();
    for ids in super::write::pieces(ids) {
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

pub(super) async fn get(
    readers: &SqlitePool,
    id: Uuid,
) -> Result<Seen<Option<ArticleRow>>, DatabaseError> {
    // One statement sees one state, and is one trip to the database's thread.
    let row = sqlx::query(
        "SELECT position, created_position, id, title, content, author_id, slug, tags, version, created_at, updated_at,
                deleted
         FROM progress LEFT JOIN articles ON id = ?",
    )
    .bind(id)
    .fetch_one(readers)
    .await?;
    let is_there = row.try_get::<Option<i64>, _>("created_position")?.is_some();
    let data = if is_there { Some(ArticleRow::from_row(&row)?) } else { None };
    Ok(Seen { position: number(row.try_get("position")?)?, data })
}

pub(super) async fn list(
    readers: &SqlitePool,
    page: &ListPage,
) -> Result<Seen<Vec<ArticleRow>>, DatabaseError> {
    let (mut tables, position) = begin(readers).await?;
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
    query.push(" ORDER BY articles.created_position DESC LIMIT ").push_bind(page.limit);
    let data = query.build_query_as().fetch_all(&mut *tables).await?;
    Ok(Seen { position, data })
}

pub(super) async fn author(
    readers: &SqlitePool,
    id: &UserId,
) -> Result<Seen<Option<AuthorRow>>, DatabaseError> {
    let (mut tables, position) = begin(readers).await?;
    let author = sqlx::query_as("SELECT * FROM authors WHERE author_id = ?").bind(id.as_str());
    Ok(Seen { position, data: author.fetch_optional(&mut *tables).await? })
}

pub(super) async fn authors(
    readers: &SqlitePool,
    after: &str,
    limit: i64,
) -> Result<Seen<Vec<AuthorRow>>, DatabaseError> {
    let (mut tables, position) = begin(readers).await?;
    let authors =
        sqlx::query_as("SELECT * FROM authors WHERE author_id > ? ORDER BY author_id LIMIT ?");
    let data = authors.bind(after).bind(limit).fetch_all(&mut *tables).await?;
    Ok(Seen { position, data })
}

pub(super) async fn activity(
    readers: &SqlitePool,
    first: &str,
    last: &str,
) -> Result<Seen<Vec<DayRow>>, DatabaseError> {
    let (mut tables, position) = begin(readers).await?;
    let days = sqlx::query_as("SELECT * FROM activity WHERE day BETWEEN ? AND ? ORDER BY day");
    let data = days.bind(first).bind(last).fetch_all(&mut *tables).await?;
    Ok(Seen { position, data })
}

pub(super) async fn skipped(
    readers: &SqlitePool,
    after: i64,
    limit: i64,
) -> Result<Vec<Skipped>, DatabaseError> {
    let skipped =
        sqlx::query_as("SELECT * FROM skipped WHERE position > ? ORDER BY position LIMIT ?");
    skipped.bind(after).bind(limit).fetch_all(readers).await
}

pub(super) async fn count_skipped(readers: &SqlitePool) -> Result<i64, DatabaseError> {
    sqlx::query_scalar("SELECT count(*) FROM skipped").fetch_one(readers).await
}

pub(super) async fn digest(readers: &SqlitePool) -> Result<Seen<u64>, DatabaseError> {
    let (mut tables, position) = begin(readers).await?;
    let mut digest = DefaultHasher::new();
    // As text, so that one loop serves tables of every shape.
    for rows in [
        "SELECT json_array(created_position, hex(id), title, content, author_id, slug, tags, version, created_at,
                           updated_at, deleted) FROM articles ORDER BY created_position",
        "SELECT json_array(tag, created_position) FROM article_tags ORDER BY tag, created_position",
        "SELECT json_array(author_id, articles, created, last_activity, last_position) FROM authors ORDER BY author_id",
        "SELECT json_array(day, created, updated, deleted) FROM activity ORDER BY day",
    ] {
        let mut rows = sqlx::query_scalar::<_, String>(rows).fetch(&mut *tables);
        while let Some(row) = rows.try_next().await? {
            row.hash(&mut digest);
        }
    }
    Ok(Seen { position, data: digest.finish() })
}

/// A number that is never negative.
pub(super) fn number(number: i64) -> Result<u64, DatabaseError> {
    u64::try_from(number).map_err(|error| DatabaseError::Decode(error.into()))
}
