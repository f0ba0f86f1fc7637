//! Events as rows.

use eventsourcing::{Metadata, NewEvent, RecordedEvent, StreamId};
use sqlx::{PgExecutor, Row as _, postgres::PgRow};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

/// What [`EventRow`] reads, for a select from `events AS e`.
macro_rules! columns {
    () => {
        "e.version, e.position, e.id, e.event_type, e.schema_version, e.time, e.correlation_id, \
         e.causation_id, e.fingerprint, e.user_id, e.traceparent, e.data"
    };
}
pub(crate) use columns;

/// An event in the database, published or not.
#[derive(Debug)]
pub(crate) struct EventRow {
    pub(crate) event: NewEvent,
    /// Where it is in the stream, when it is there and that is known.
    position: Option<u64>,
}

impl EventRow {
    pub(crate) fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let time: String = row.try_get("time")?;
        let time = OffsetDateTime::parse(&time, &Rfc3339).map_err(decode_error)?;
        let id = |column: &str| row.try_get::<Uuid, _>(column);
        let text = |column: &str| row.try_get::<String, _>(column);
        let schema_version = unsigned(row, "schema_version")?;
        let position: Option<i64> = row.try_get("position")?;
        Ok(Self {
            position: position.map(u64::try_from).transpose().map_err(decode_error)?,
            event: NewEvent {
                id: id("id")?.into(),
                event_type: text("event_type")?,
                schema_version: schema_version.try_into().map_err(decode_error)?,
                version: unsigned(row, "version")?,
                time,
                metadata: Metadata {
                    correlation_id: text("correlation_id")?.try_into().map_err(decode_error)?,
                    causation_id: id("causation_id")?.into(),
                    fingerprint: id("fingerprint")?.into(),
                    user_id: text("user_id")?.try_into().map_err(decode_error)?,
                    traceparent: row.try_get("traceparent")?,
                },
                data: row.try_get("data")?,
            },
        })
    }

    /// Its version, when it has no position yet.
    pub(crate) fn unpublished(&self) -> Option<u64> {
        self.position.is_none().then_some(self.event.version)
    }

    /// The event as an event of `stream`.
    pub(crate) fn recorded(self, stream: &StreamId) -> Result<RecordedEvent, sqlx::Error> {
        let position = self.position.ok_or_else(|| decode_error("the event has no position"))?;
        Ok(RecordedEvent {
            context: stream.context.to_string(),
            aggregate_id: stream.aggregate_id,
            position,
            event: self.event,
        })
    }
}

/// Which events of an aggregate are read.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Span {
    /// From this version on.
    From(u64),
    /// The first of those from this version on: no more than may be in memory at once, and never only one of several.
    PageFrom(u64),
    /// The last one.
    Last,
}

impl Span {
    fn sql(self) -> &'static str {
        match self {
            Self::From(_) => concat!(
                "SELECT ",
                columns!(),
                " FROM events AS e WHERE context = $1 AND aggregate_id = $2 AND version >= $3 ORDER BY version"
            ),
            // 64 behind the first, and no more behind a megabyte: events are smaller than half of one.
            Self::PageFrom(_) => concat!(
                "SELECT ",
                columns!(),
                " FROM (SELECT *, sum(octet_length(data)) OVER (ORDER BY version) - octet_length(data) AS before \
                 FROM (SELECT * FROM events WHERE context = $1 AND aggregate_id = $2 AND version >= $3 \
                 ORDER BY version LIMIT 65) AS first) AS e WHERE before < 1048576 ORDER BY version"
            ),
            Self::Last => concat!(
                "SELECT ",
                columns!(),
                " FROM events AS e WHERE context = $1 AND aggregate_id = $2 AND version >= $3 \
                 ORDER BY version DESC LIMIT 1"
            ),
        }
    }

    fn first(self) -> u64 {
        match self {
            Self::From(version) | Self::PageFrom(version) => version,
            Self::Last => 0,
        }
    }
}

/// The events of `stream` in `span`, oldest first.
pub(crate) async fn read(
    database: impl PgExecutor<'_>,
    stream: &StreamId,
    span: Span,
) -> Result<Vec<EventRow>, sqlx::Error> {
    let rows = sqlx::query(span.sql())
        .bind(stream.context.as_ref())
        .bind(stream.aggregate_id.as_uuid())
        .bind(number(span.first()))
        .fetch_all(database)
        .await?;
    rows.iter().map(EventRow::from_row).collect()
}

/// A number for the database, which has no unsigned ones. None of ours gets anywhere near the end.
pub(crate) fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number from the database.
pub(crate) fn unsigned(row: &PgRow, column: &str) -> Result<u64, sqlx::Error> {
    u64::try_from(row.try_get::<i64, _>(column)?).map_err(decode_error)
}

fn decode_error(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> sqlx::Error {
    sqlx::Error::Decode(error.into())
}
