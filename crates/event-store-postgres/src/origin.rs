//! Which stream the positions in the database are of, and the way to another one.
//!
//! The database has all events, so a stream that lost some, or never had them, gets them again.

use std::time::Duration;

use eventsourcing::{StoreError, StreamIdentity};
use messaging::{At, EventStream, Mark, Relation};
use sqlx::{Acquire as _, Row as _, postgres::PgListener};
use uuid::Uuid;

use crate::rows::unsigned;

/// How long the whole outbox may take to be filled: a few minutes for tens of millions of events.
pub(crate) const AGAIN_PATIENCE: Duration = Duration::from_mins(30);

/// What the database remembers of the stream that its events are relayed to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin {
    /// The stream; `None` before the first comparison.
    pub(crate) stream: Option<StreamIdentity>,
    /// The highest position that was noted, and the event there.
    last: Option<(u64, Uuid)>,
    /// While everything is published again: the last row of the outbox that belongs to that.
    pub(crate) again_up_to: Option<i64>,
}

/// How the stream relates to the database.
#[derive(Debug)]
pub(crate) enum Comparison {
    /// It has everything that was published; it is this one.
    Kept(StreamIdentity),
    /// It has not, or nobody can know; it is `stream`.
    Lost { stream: StreamIdentity, reason: String },
}

impl Origin {
    /// What `database` remembers.
    pub(crate) async fn read(database: &mut PgListener) -> Result<Self, sqlx::Error> {
        let row = sqlx::query("SELECT stream, position, event, again_up_to FROM relayed_to")
            .fetch_one(database)
            .await?;
        let stream: Option<String> = row.try_get("stream")?;
        let stream = stream.map(|text| text.parse()).transpose();
        let (position, event) =
            (unsigned(&row, "position")?, row.try_get::<Option<_>, _>("event")?);
        Ok(Self {
            stream: stream.map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
            last: event.map(|event| (position, event)),
            again_up_to: row.try_get("again_up_to")?,
        })
    }

    /// How `stream` relates to what was published.
    ///
    /// The event at the highest position is enough: a stream loses its end and nothing else, and what takes the place
    /// of that is another event, or the same one, published again.
    pub(crate) async fn compare(&self, stream: &EventStream) -> Result<Comparison, StoreError> {
        let act = "comparing the database with the stream";
        let (position, event) = self.last.unwrap_or_default();
        let noted = match self.stream {
            Some(noted) => noted,
            None => {
                stream.identity().await?.ok_or_else(|| StoreError::new(act, "there is none"))?
            }
        };
        let mark = Mark { stream: noted, position, stored_at: 0 };
        let (found, is_same) = match stream.relate(&mark).await? {
            Relation::Another { stream, reason } => {
                return Ok(Comparison::Lost { stream, reason });
            }
            Relation::Same(found) => (found, true),
            Relation::Renewed(found) => (found, false),
        };
        if position == 0 {
            return Ok(Comparison::Kept(found));
        }
        match stream.at(position).await? {
            At::Event(id) if id.as_uuid() == event => Ok(Comparison::Kept(found)),
            // A damaged disk took it away: a stream that went back and on again has another one there.
            At::Nothing if is_same && self.stream.is_some() => Ok(Comparison::Kept(found)),
            _ => {
                let reason =
                    format!("position {position} has not the event that was published there");
                let stream = match self.stream {
                    Some(_) if is_same => stream.renew(&reason).await?,
                    _ => found,
                };
                Ok(Comparison::Lost { stream, reason })
            }
        }
    }

    /// Notes that the positions are of `stream`.
    pub(crate) async fn keep(
        &self,
        database: &mut PgListener,
        stream: StreamIdentity,
    ) -> Result<(), sqlx::Error> {
        let noted = self.stream.map(|stream| stream.to_string());
        sqlx::query("UPDATE relayed_to SET stream = $1 WHERE stream IS NOT DISTINCT FROM $2")
            .bind(stream.to_string())
            .bind(noted)
            .execute(database)
            .await?;
        Ok(())
    }

    /// Has everything published again, to `stream`, in the order in which it was published before; tells how much.
    ///
    /// Nothing happens when another relay did so first.
    pub(crate) async fn publish_again(
        &self,
        database: &mut PgListener,
        stream: StreamIdentity,
    ) -> Result<u64, sqlx::Error> {
        let noted = self.stream.map(|stream| stream.to_string());
        let mut transaction = database.begin().await?;
        for setting in ["statement_timeout = 0", "enable_seqscan = on"] {
            let setting = sqlx::AssertSqlSafe(format!("SET LOCAL {setting}"));
            sqlx::query(setting).execute(&mut *transaction).await?;
        }
        let row = sqlx::query(
            "WITH here AS (
                 UPDATE relayed_to SET stream = $1, position = 0, event = NULL
                 WHERE stream IS NOT DISTINCT FROM $2 RETURNING 1
             ), queued AS (
                 INSERT INTO outbox (context, aggregate_id, version)
                 SELECT context, aggregate_id, version FROM events
                 WHERE position IS NOT NULL AND EXISTS (SELECT FROM here) ORDER BY position
                 RETURNING id
             ), gone AS (
                 UPDATE events SET position = NULL
                 WHERE position IS NOT NULL AND EXISTS (SELECT FROM here)
             )
             SELECT count(*) AS events, max(id) AS last FROM queued",
        )
        .bind(stream.to_string())
        .bind(noted)
        .fetch_one(&mut *transaction)
        .await?;
        let last: Option<i64> = row.try_get("last")?;
        sqlx::query("UPDATE relayed_to SET again_up_to = coalesce($1, again_up_to)")
            .bind(last)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        unsigned(&row, "events")
    }
}

/// Notes that everything is published again to `stream`.
pub(crate) async fn is_complete(
    database: &mut PgListener,
    stream: StreamIdentity,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE relayed_to SET again_up_to = NULL WHERE stream = $1")
        .bind(stream.to_string())
        .execute(database)
        .await?;
    Ok(())
}
