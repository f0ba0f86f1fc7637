//! Writing a batch: a few statements, however many events it has.

use sqlx::{PgConnection, PgPool};

use crate::{
    search_text::searchable,
    tables::{ArticleRow, Changes, DatabaseError, Step},
};

/// For what the stream does not bring again.
const DURABLE: &str = "SET LOCAL synchronous_commit = on";

pub(super) async fn fence(writer: &PgPool, epoch: i64) -> Result<Option<u64>, DatabaseError> {
    let mut transaction = writer.begin().await?;
    // An epoch that a crash of the database forgot could be given to somebody else.
    sqlx::query(DURABLE).execute(&mut *transaction).await?;
    let position: Option<i64> =
        sqlx::query_scalar("UPDATE progress SET epoch = $1 WHERE epoch <= $1 RETURNING position")
            .bind(epoch)
            .fetch_optional(&mut *transaction)
            .await?;
    transaction.commit().await?;
    position.map(super::read::number).transpose()
}

pub(super) async fn commit(
    writer: &PgPool,
    changes: &Changes,
    step: Step,
) -> Result<bool, DatabaseError> {
    let mut transaction = writer.begin().await?;
    if step.is_redrive() {
        sqlx::query(DURABLE).execute(&mut *transaction).await?;
    }
    let moved = sqlx::query(
        "UPDATE progress SET position = $1, stored_at = $2, stream = $3
         WHERE position = $4 AND epoch = $5 AND (stream IS NULL OR stream = $3)",
    )
    .bind(integer(step.to.position)?)
    .bind(step.to.stored_at)
    .bind(step.to.stream.to_string())
    .bind(integer(step.from)?)
    .bind(step.epoch)
    .execute(&mut *transaction)
    .await?;
    if moved.rows_affected() == 0 {
        transaction.rollback().await?;
        return Ok(false);
    }
    articles(&mut transaction, &changes.articles).await?;
    tags(&mut transaction, changes).await?;
    counts(&mut transaction, changes).await?;
    transaction.commit().await?;
    Ok(true)
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
    if !changes.redriven.is_empty() {
        sqlx::query("DELETE FROM skipped WHERE position = ANY ($1)")
            .bind(&changes.redriven)
            .execute(&mut *tables)
            .await?;
    }
    for row in &changes.skipped {
        sqlx::query("INSERT INTO skipped (position, subject, reason) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
            .bind(row.position)
            .bind(&row.subject)
            .bind(&row.reason)
            .execute(&mut *tables)
            .await?;
    }
    Ok(())
}

fn integer(number: u64) -> Result<i64, DatabaseError> {
    i64::try_from(number).map_err(|error| DatabaseError::Encode(error.into()))
}
