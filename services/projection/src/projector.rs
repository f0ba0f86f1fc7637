//! What each event changes in the tables.

use contracts::article::{ArticleCreated, ArticleDeleted, ArticleEvent, ArticleUpdated, CONTEXT};
use eventsourcing::RecordedEvent;
use messaging::consumer::{Projector, Verdict};
use sqlx::{Sqlite, Transaction, types::Json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    NAME,
    read_model::{self, ReadModel},
};

/// The database failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProjectorError {
    /// It says why.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// A number does not fit into the database's integers.
    #[error("a number is out of range")]
    Range(#[from] std::num::TryFromIntError),
}

/// Keeps the table of articles.
#[derive(Debug)]
pub(crate) struct ArticleProjector {
    read_model: ReadModel,
}

impl ArticleProjector {
    pub(crate) fn new(read_model: ReadModel) -> Self {
        Self { read_model }
    }
}

impl Projector for ArticleProjector {
    const NAME: &'static str = NAME;
    type Transaction = Transaction<'static, Sqlite>;
    type Error = ProjectorError;

    async fn position(&self) -> Result<u64, ProjectorError> {
        let (_, position) = self.read_model.read(NAME).await?;
        self.read_model.announce(position);
        Ok(position)
    }

    async fn begin(&self) -> Result<Self::Transaction, ProjectorError> {
        Ok(self.read_model.write().await?)
    }

    async fn apply(
        &self,
        transaction: &mut Self::Transaction,
        event: &RecordedEvent,
    ) -> Result<Verdict, ProjectorError> {
        if event.context != CONTEXT {
            return Ok(Verdict::Applied);
        }
        let rows = match event.decode() {
            Ok(ArticleEvent::Created(created)) => create(transaction, event, created).await?,
            Ok(ArticleEvent::Updated(updated)) => update(transaction, event, updated).await?,
            Ok(ArticleEvent::Deleted(deleted)) => delete(transaction, event, deleted).await?,
            Err(error) => return Ok(Verdict::GiveUp(error.to_string())),
        };
        if rows > 0 {
            index(transaction, event).await?;
        }
        // An event over a gap must not be applied: the one before it is a dead letter.
        Ok(match rows {
            0 if is_there(transaction, event).await? => Verdict::Applied,
            0 => Verdict::GiveUp(format!(
                "version {} does not follow what is in the tables",
                event.event.version
            )),
            _ => Verdict::Applied,
        })
    }

    async fn commit(
        &self,
        mut transaction: Self::Transaction,
        from: u64,
        to: u64,
    ) -> Result<bool, ProjectorError> {
        if read_model::position(&mut transaction, NAME).await? != from {
            return Ok(false);
        }
        sqlx::query("INSERT OR REPLACE INTO positions (projector, position) VALUES (?, ?)")
            .bind(NAME)
            .bind(i64::try_from(to)?)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        self.read_model.announce(to);
        Ok(true)
    }
}

async fn create(
    transaction: &mut Transaction<'static, Sqlite>,
    event: &RecordedEvent,
    created: ArticleCreated,
) -> Result<u64, ProjectorError> {
    let time = rfc3339(event.event.time);
    let result = sqlx::query(
        "INSERT INTO articles (id, title, content, author_id, slug, tags, version, created_at, updated_at,
                               created_position)
         SELECT ?, ?, ?, ?, ?, ?, 1, ?, ?, ? WHERE ? = 1
         ON CONFLICT DO NOTHING",
    )
    .bind(event.aggregate_id.to_string())
    .bind(created.title)
    .bind(created.content)
    .bind(created.author_id.to_string())
    .bind(created.slug)
    .bind(Json(&created.tags))
    .bind(&time)
    .bind(&time)
    .bind(i64::try_from(event.position)?)
    .bind(version(event))
    .execute(&mut **transaction)
    .await?;
    if result.rows_affected() > 0 {
        tag(transaction, event, &created.tags).await?;
    }
    Ok(result.rows_affected())
}

/// The words of the article of `event` are found from now on, and no others.
async fn index(
    transaction: &mut Transaction<'static, Sqlite>,
    event: &RecordedEvent,
) -> Result<(), ProjectorError> {
    let id = event.aggregate_id.to_string();
    for statement in [
        "DELETE FROM articles_search WHERE rowid = (SELECT created_position FROM articles WHERE id = ?)",
        "INSERT INTO articles_search (rowid, title, content)
         SELECT created_position, title, content FROM articles WHERE id = ? AND deleted = 0",
    ] {
        sqlx::query(statement).bind(&id).execute(&mut **transaction).await?;
    }
    Ok(())
}

/// The article of `event` has `tags` from now on.
async fn tag(
    transaction: &mut Transaction<'static, Sqlite>,
    event: &RecordedEvent,
    tags: &[String],
) -> Result<(), ProjectorError> {
    let id = event.aggregate_id.to_string();
    sqlx::query("DELETE FROM article_tags WHERE created_position = (SELECT created_position FROM articles WHERE id = ?)")
        .bind(&id)
        .execute(&mut **transaction)
        .await?;
    sqlx::query(
        "INSERT INTO article_tags (tag, created_position)
         SELECT DISTINCT tag.value, created_position FROM articles, json_each(?) AS tag WHERE articles.id = ?",
    )
    .bind(Json(tags))
    .bind(&id)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

async fn update(
    transaction: &mut Transaction<'static, Sqlite>,
    event: &RecordedEvent,
    updated: ArticleUpdated,
) -> Result<u64, ProjectorError> {
    let result = sqlx::query(
        "UPDATE articles SET title = ?, content = ?, slug = coalesce(?, slug), tags = coalesce(?, tags),
                updated_at = ?, version = version + 1
         WHERE id = ? AND version = ? - 1",
    )
    .bind(updated.title)
    .bind(updated.content)
    .bind(updated.slug)
    .bind(updated.tags.as_ref().map(Json))
    .bind(rfc3339(event.event.time))
    .bind(event.aggregate_id.to_string())
    .bind(version(event))
    .execute(&mut **transaction)
    .await?;
    if let Some(tags) = updated.tags.filter(|_| result.rows_affected() > 0) {
        tag(transaction, event, &tags).await?;
    }
    Ok(result.rows_affected())
}

/// The row stays, without its content: who asks for it shall hear that it is gone.
async fn delete(
    transaction: &mut Transaction<'static, Sqlite>,
    event: &RecordedEvent,
    _: ArticleDeleted,
) -> Result<u64, ProjectorError> {
    let result = sqlx::query(
        "UPDATE articles SET content = '', deleted = 1, updated_at = ?, version = version + 1
         WHERE id = ? AND version = ? - 1",
    )
    .bind(rfc3339(event.event.time))
    .bind(event.aggregate_id.to_string())
    .bind(version(event))
    .execute(&mut **transaction)
    .await?;
    if result.rows_affected() > 0 {
        tag(transaction, event, &[]).await?;
    }
    Ok(result.rows_affected())
}

/// Whether the tables have the event already: it was redriven, and the crash came before it was taken out.
async fn is_there(
    transaction: &mut Transaction<'static, Sqlite>,
    event: &RecordedEvent,
) -> Result<bool, ProjectorError> {
    let there: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM articles WHERE id = ? AND version >= ?)")
            .bind(event.aggregate_id.to_string())
            .bind(version(event))
            .fetch_one(&mut **transaction)
            .await?;
    Ok(there)
}

/// The event's version; one that no integer of the database holds follows nothing either.
fn version(event: &RecordedEvent) -> i64 {
    i64::try_from(event.event.version).unwrap_or(i64::MAX)
}

/// A time as it is stored and shown.
fn rfc3339(time: OffsetDateTime) -> String {
    // It was read from this format, so it can be written in it.
    time.format(&Rfc3339).unwrap_or_default()
}
