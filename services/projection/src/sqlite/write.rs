//! Writing a batch: a few statements, however many events it has.

use std::borrow::Cow;

use sqlx::{QueryBuilder, Sqlite, SqliteConnection, SqlitePool};

use crate::{
    search_text::searchable,
    tables::{ArticleRow, Changes, DatabaseError, Step},
};

/// How many rows one statement writes. Few different sizes, so that statements are prepared once.
const PIECES: [usize; 3] = [64, 8, 1];

pub(super) async fn fence(writer: &SqlitePool, epoch: i64) -> Result<Option<u64>, DatabaseError> {
    let position: Option<i64> =
        sqlx::query_scalar("UPDATE progress SET epoch = ?1 WHERE epoch <= ?1 RETURNING position")
            .bind(epoch)
            .fetch_optional(writer)
            .await?;
    position.map(super::read::number).transpose()
}

pub(super) async fn commit(
    writer: &SqlitePool,
    changes: &Changes,
    step: Step,
) -> Result<bool, DatabaseError> {
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
    let indexed: Option<bool> = sqlx::query_scalar(
        "UPDATE progress SET position = ?1, stored_at = ?2, stream = ?3
         WHERE position = ?4 AND epoch = ?5 AND (stream IS NULL OR stream = ?3) RETURNING indexed",
    )
    .bind(integer(step.to.position)?)
    .bind(step.to.stored_at)
    .bind(step.to.stream.to_string())
    .bind(integer(step.from)?)
    .bind(step.epoch)
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(indexed) = indexed else { return Ok(false) };
    if indexed {
        unindex(&mut transaction, &changes.unindexed).await?;
    }
    articles(&mut transaction, &changes.articles).await?;
    if indexed {
        index(&mut transaction, &changes.articles).await?;
    }
    tags(&mut transaction, changes).await?;
    counts(&mut transaction, changes).await?;
    transaction.commit().await?;
    Ok(true)
}

/// The search has to be told the words that it shall forget, while they are still there.
async fn unindex(tables: &mut SqliteConnection, articles: &[i64]) -> Result<(), DatabaseError> {
    let forget = "INSERT INTO articles_search (articles_search, rowid, title, content)
                  SELECT 'delete', created_position, title, content FROM live_articles WHERE created_position IN ";
    each_of(tables, forget, articles).await
}

async fn index(
    tables: &mut SqliteConnection,
    articles: &[ArticleRow],
) -> Result<(), DatabaseError> {
    let live: Vec<_> = articles.iter().filter(|row| !row.deleted).collect();
    for rows in pieces(&live) {
        let mut query =
            QueryBuilder::<Sqlite>::new("INSERT INTO articles_search (rowid, title, content) ");
        query.push_values(rows, |mut values, row| {
            let [title, content] = [&row.title, &row.content].map(|text| as_searched(text));
            values.push_bind(row.created_position).push_bind(title).push_bind(content);
        });
        query.build().execute(&mut *tables).await?;
    }
    Ok(())
}

fn as_searched(text: &str) -> Cow<'_, str> {
    searchable(text).map_or(Cow::Borrowed(text), Cow::Owned)
}

async fn articles(tables: &mut SqliteConnection, rows: &[ArticleRow]) -> Result<(), DatabaseError> {
    for rows in pieces(rows) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "INSERT INTO articles (created_position, id, title, content, author_id, slug, tags, version,
                                   created_at, updated_at, deleted, search_title, search_content) ",
        );
        query.push_values(rows, |mut values, row| {
            values
                .push_bind(row.created_position)
                .push_bind(row.id)
                .push_bind(&row.title)
                .push_bind(&row.content)
                .push_bind(&row.author_id)
                .push_bind(&row.slug)
                .push_bind(&row.tags)
                .push_bind(row.version)
                .push_bind(&row.created_at)
                .push_bind(&row.updated_at)
                .push_bind(row.deleted)
                .push_bind(searchable(&row.title))
                .push_bind(searchable(&row.content));
        });
        query.push(
            " ON CONFLICT (created_position) DO UPDATE
             SET title = excluded.title, content = excluded.content, slug = excluded.slug, tags = excluded.tags,
                 version = excluded.version, updated_at = excluded.updated_at, deleted = excluded.deleted,
                 search_title = excluded.search_title, search_content = excluded.search_content",
        );
        query.build().execute(&mut *tables).await?;
    }
    Ok(())
}

async fn tags(tables: &mut SqliteConnection, changes: &Changes) -> Result<(), DatabaseError> {
    let forget = "DELETE FROM article_tags WHERE created_position IN ";
    each_of(tables, forget, &changes.untagged).await?;
    for rows in pieces(&changes.tags) {
        let mut query =
            QueryBuilder::<Sqlite>::new("INSERT INTO article_tags (created_position, tag) ");
        query.push_values(rows, |mut values, (article, tag)| {
            values.push_bind(article).push_bind(tag);
        });
        query.build().execute(&mut *tables).await?;
    }
    Ok(())
}

async fn counts(tables: &mut SqliteConnection, changes: &Changes) -> Result<(), DatabaseError> {
    for rows in pieces(&changes.authors) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "INSERT INTO authors (author_id, articles, created, last_activity, last_position) ",
        );
        query.push_values(rows, |mut values, row| {
            values
                .push_bind(&row.author_id)
                .push_bind(row.articles)
                .push_bind(row.created)
                .push_bind(&row.last_activity)
                .push_bind(row.last_position);
        });
        query.push(
            " ON CONFLICT (author_id) DO UPDATE
             SET articles = articles + excluded.articles, created = created + excluded.created,
                 last_activity = iif(excluded.last_position > last_position, excluded.last_activity, last_activity),
                 last_position = max(last_position, excluded.last_position)",
        );
        query.build().execute(&mut *tables).await?;
    }
    for row in &changes.days {
        sqlx::query(
            "INSERT INTO activity (day, created, updated, deleted) VALUES (?, ?, ?, ?)
             ON CONFLICT (day) DO UPDATE
             SET created = created + excluded.created, updated = updated + excluded.updated,
                 deleted = deleted + excluded.deleted",
        )
        .bind(&row.day)
        .bind(row.created)
        .bind(row.updated)
        .bind(row.deleted)
        .execute(&mut *tables)
        .await?;
    }
    each_of(tables, "DELETE FROM skipped WHERE position IN ", &changes.redriven).await?;
    for row in &changes.skipped {
        sqlx::query("INSERT INTO skipped (position, subject, reason) VALUES (?, ?, ?) ON CONFLICT DO NOTHING")
            .bind(row.position)
            .bind(&row.subject)
            .bind(&row.reason)
            .execute(&mut *tables)
            .await?;
    }
    Ok(())
}

/// Runs `statement`, which ends where a list of numbers belongs.
async fn each_of(
    tables: &mut SqliteConnection,
    statement: &'static str,
    numbers: &[i64],
) -> Result<(), DatabaseError> {
    for numbers in pieces(numbers) {
        let mut query = QueryBuilder::<Sqlite>::new(statement);
        query.push("(");
        let mut list = query.separated(", ");
        for number in numbers {
            list.push_bind(number);
        }
        query.push(")");
        query.build().execute(&mut *tables).await?;
    }
    Ok(())
}

pub(super) fn pieces<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = PIECES.into_iter().find(|size| *size <= rows.len())?;
        let (piece, rest) = rows.split_at(size);
        rows = rest;
        Some(piece)
    })
}

fn integer(number: u64) -> Result<i64, DatabaseError> {
    i64::try_from(number).map_err(|error| DatabaseError::Encode(error.into()))
}
