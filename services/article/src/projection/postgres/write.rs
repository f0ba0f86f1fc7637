//! Writing a batch: a few statements, however many events it has.

use read_model::DatabaseError;
use sqlx::PgConnection;

use crate::projection::{
    rows::{ArticleRow, Changes},
    search_text::searchable,
};

/// Writes `changes`.
pub(super) async fn write(
    tables: &mut PgConnection,
    changes: &Changes,
) -> Result<(), DatabaseError> {
    articles(tables, &changes.articles).await?;
    tags(tables, changes).await?;
    counts(tables, changes).await
}

/// A column of `rows`.
fn each<'a, R, T>(rows: &'a [R], of: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(of).collect()
}

async fn articles(tables: &mut PgConnection, rows: &[ArticleRow]) -> Result<(), DatabaseError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO articles (created_position, id, title, content, author_id, slug, tags, version, created_at,
                               updated_at, deleted, search_title, search_content)
         SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::jsonb[],
                              $8::bigint[], $9::text[], $10::text[], $11::boolean[], $12::text[],
                              $13::text[])
         ON CONFLICT (created_position) DO UPDATE
         SET title = excluded.title, content = excluded.content, slug = excluded.slug, tags = excluded.tags,
             version = excluded.version, updated_at = excluded.updated_at, deleted = excluded.deleted,
             search_title = excluded.search_title, search_content = excluded.search_content",
    )
    .bind(each(rows, |row| row.created_position))
    .bind(each(rows, |row| row.id))
    .bind(each(rows, |row| row.title.as_str()))
    .bind(each(rows, |row| row.content.as_str()))
    .bind(each(rows, |row| row.author_id.as_str()))
    .bind(each(rows, |row| row.slug.as_deref()))
    .bind(each(rows, |row| &row.tags))
    .bind(each(rows, |row| row.version))
    .bind(each(rows, |row| row.created_at.as_str()))
    .bind(each(rows, |row| row.updated_at.as_str()))
    .bind(each(rows, |row| row.deleted))
    .bind(each(rows, |row| searchable(&row.title)))
    .bind(each(rows, |row| searchable(&row.content)))
    .execute(tables)
    .await?;
    Ok(())
}

async fn tags(tables: &mut PgConnection, changes: &Changes) -> Result<(), DatabaseError> {
    if !changes.untagged.is_empty() {
        sqlx::query("DELETE FROM article_tags WHERE created_position = ANY ($1)")
            .bind(&changes.untagged)
            .execute(&mut *tables)
            .await?;
    }
    if !changes.tags.is_empty() {
        sqlx::query(
            "INSERT INTO article_tags (created_position, tag)
             SELECT * FROM unnest($1::bigint[], $2::text[])",
        )
        .bind(each(&changes.tags, |(article, _)| *article))
        .bind(each(&changes.tags, |(_, tag)| tag.as_str()))
        .execute(tables)
        .await?;
    }
    Ok(())
}

async fn counts(tables: &mut PgConnection, changes: &Changes) -> Result<(), DatabaseError> {
    if !changes.authors.is_empty() {
        sqlx::query(
            "INSERT INTO authors AS old (author_id, articles, created, last_activity, last_position)
             SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[])
             ON CONFLICT (author_id) DO UPDATE
             SET articles = old.articles + excluded.articles, created = old.created + excluded.created,
                 last_activity = CASE WHEN excluded.last_position > old.last_position
                                      THEN excluded.last_activity ELSE old.last_activity END,
                 last_position = greatest(old.last_position, excluded.last_position)",
        )
        .bind(each(&changes.authors, |row| row.author_id.as_str()))
        .bind(each(&changes.authors, |row| row.articles))
        .bind(each(&changes.authors, |row| row.created))
        .bind(each(&changes.authors, |row| row.last_activity.as_str()))
        .bind(each(&changes.authors, |row| row.last_position))
        .execute(&mut *tables)
        .await?;
    }
    for row in &changes.days {
        sqlx::query(
            "INSERT INTO activity AS old (day, created, updated, deleted) VALUES ($1, $2, $3, $4)
             ON CONFLICT (day) DO UPDATE
             SET created = old.created + excluded.created, updated = old.updated + excluded.updated,
                 deleted = old.deleted + excluded.deleted",
        )
        .bind(&row.day)
        .bind(row.created)
        .bind(row.updated)
        .bind(row.deleted)
        .execute(&mut *tables)
        .await?;
    }
    Ok(())
}
