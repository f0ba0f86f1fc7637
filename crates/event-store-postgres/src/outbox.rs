//! What is to be published, and what was.

use eventsourcing::{EventId, NewEvent, StreamId, StreamIdentity};
use futures_util::TryStreamExt as _;
use sqlx::{Row as _, postgres::PgListener};
use uuid::Uuid;

use crate::rows::{EventRow, columns, number};

/// The most events that are published together.
const MAX_EVENTS: usize = 500;
/// A batch ends with the event that reaches it.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// An event that is to be published.
#[derive(Debug)]
pub(crate) struct Pending {
    /// Its row in the outbox.
    pub(crate) id: i64,
    pub(crate) stream: StreamId,
    pub(crate) event: NewEvent,
    /// The position of the event before it, when that is known; 0 when there is none.
    pub(crate) previous: Option<u64>,
}

/// An event that is in the stream.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) id: i64,
    pub(crate) stream: StreamId,
    pub(crate) version: u64,
    pub(crate) event: EventId,
    pub(crate) position: u64,
}

/// Whether there may be more than `batch` in the outbox.
pub(crate) fn is_full(batch: &[Pending]) -> bool {
    batch.len() >= MAX_EVENTS || bytes(batch) >= MAX_BYTES
}

fn bytes(batch: &[Pending]) -> usize {
    batch.iter().map(|pending| pending.event.data.len()).sum()
}

/// The oldest events in the outbox without those of the aggregates in `resting`.
///
/// An event's row is younger than that of the event before it, which was committed before.
pub(crate) async fn take(
    database: &mut PgListener,
    resting: Vec<Uuid>,
) -> Result<Vec<Pending>, sqlx::Error> {
    let mut rows = sqlx::query(concat!(
        "SELECT o.id AS outbox_id, context, aggregate_id, p.position AS previous, ",
        columns!(),
        " FROM (SELECT * FROM outbox WHERE aggregate_id <> ALL ($1) ORDER BY id LIMIT $2) AS o \
         JOIN events AS e USING (context, aggregate_id, version) \
         LEFT JOIN LATERAL (SELECT position FROM events AS p WHERE p.context = o.context \
             AND p.aggregate_id = o.aggregate_id AND p.version = o.version - 1) AS p ON true \
         ORDER BY o.id"
    ))
    .bind(resting)
    .bind(number(MAX_EVENTS as u64))
    .fetch(database);
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.try_next().await? {
        let context: String = row.try_get("context")?;
        let aggregate: Uuid = row.try_get("aggregate_id")?;
        let previous: Option<i64> = row.try_get("previous")?;
        let event = EventRow::from_row(&row)?.event;
        bytes += event.data.len();
        batch.push(Pending {
            id: row.try_get("outbox_id")?,
            stream: StreamId::new(context, aggregate.into()),
            previous: if event.version == 1 {
                Some(0)
            } else {
                previous.and_then(|position| u64::try_from(position).ok())
            },
            event,
        });
        if bytes >= MAX_BYTES {
            break;
        }
    }
    Ok(batch)
}

/// Notes the positions of `published`, which are of `stream`, and tells all relays on `channel` that `name` has done so; `false`
/// when the database has the positions of another stream by now.
///
/// A row that is gone was marked by another relay, with the same position.
pub(crate) async fn mark(
    database: &mut PgListener,
    published: &[Published],
    stream: StreamIdentity,
    (channel, name): (&str, &str),
) -> Result<bool, sqlx::Error> {
    let Some(last) = published.iter().max_by_key(|event| event.position) else { return Ok(true) };
    let ids: Vec<i64> = published.iter().map(|event| event.id).collect();
    let positions: Vec<i64> = published.iter().map(|event| number(event.position)).collect();
    let row = sqlx::query(
        "WITH here AS (
             UPDATE relayed_to SET event = CASE WHEN $6 > position THEN $7 ELSE event END,
                                   position = greatest($6, position)
             WHERE stream = $5 RETURNING 1
         ), gone AS (
             DELETE FROM outbox AS o USING unnest($1::bigint[], $2::bigint[]) AS r(id, position)
             WHERE o.id = r.id AND EXISTS (SELECT FROM here)
             RETURNING o.context, o.aggregate_id, o.version, r.position
         ), marked AS (
             UPDATE events AS e SET position = g.position FROM gone AS g
             WHERE e.context = g.context AND e.aggregate_id = g.aggregate_id AND e.version = g.version
         )
         SELECT pg_notify($3, $4)::text, EXISTS (SELECT FROM here) AS is_here",
    )
    .bind(ids)
    .bind(positions)
    .bind(channel)
    .bind(name)
    .bind(stream.to_string())
    .bind(number(last.position))
    .bind(last.event.as_uuid())
    .fetch_one(database)
    .await?;
    row.try_get("is_here")
}
