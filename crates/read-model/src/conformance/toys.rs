//! A read model of toys: the smallest that has everything.

use std::collections::BTreeMap;

use eventsourcing::{
    AggregateId, CommandId, CorrelationId, EventData as _, Fingerprint, Metadata, NewEvent,
    RecordedEvent, StreamId, StreamIdentity,
};
use messaging::{Mark, consumer::Rejected, names::EventSubject};
use sqlx::{
    PgConnection, PgPool, Postgres, Sqlite, SqliteConnection, SqlitePool, migrate::Migrator,
};
use test_support::{
    toys::{TOY, ToyBroken, ToyEvent, ToyMade, ToyRenamed},
    user,
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    model::{DatabaseError, ReadModel, Schema},
    tables::Step,
};

/// Toys.
#[derive(Debug, Clone)]
pub(super) struct Toys;

/// A row of `toys`.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct ToyRow {
    pub created_position: i64,
    pub id: Uuid,
    pub name: String,
    pub version: i64,
    pub broken: bool,
}

impl ReadModel for Toys {
    const NAME: &'static str = "toys";
    const VERSION: i64 = 1;
    const CONTEXTS: &'static [&'static str] = &[TOY];
    type Row = ToyRow;
    type Changes = Vec<ToyRow>;

    fn keys(events: &[&RecordedEvent]) -> Vec<Uuid> {
        events.iter().map(|event| event.aggregate_id.as_uuid()).collect()
    }

    fn fold(known: Vec<ToyRow>, events: &[&RecordedEvent]) -> (Vec<ToyRow>, Vec<Rejected>) {
        let mut rows: BTreeMap<Uuid, ToyRow> = known.into_iter().map(|row| (row.id, row)).collect();
        let (mut changed, mut rejected) = (BTreeMap::new(), Vec::new());
        for event in events {
            let id = event.aggregate_id.as_uuid();
            match apply(rows.get(&id), event) {
                Ok(row) => {
                    changed.insert(id, row.clone());
                    rows.insert(id, row);
                }
                Err(reason) => {
                    let stream = StreamId::new(TOY, event.aggregate_id);
                    let (position, subject) = (event.position, EventSubject(stream).to_string());
                    rejected.push(Rejected { position, subject, reason });
                }
            }
        }
        (changed.into_values().collect(), rejected)
    }
}

fn apply(row: Option<&ToyRow>, event: &RecordedEvent) -> Result<ToyRow, String> {
    let data: ToyEvent = event.decode().map_err(|error| error.to_string())?;
    let version = event.event.version.cast_signed();
    if version != row.map_or(0, |row| row.version) + 1 {
        return Err(format!("version {version} does not follow"));
    }
    Ok(match (row, data) {
        (None, ToyEvent::Made(made)) => ToyRow {
            created_position: event.position.cast_signed(),
            id: event.aggregate_id.as_uuid(),
            name: made.name,
            version,
            broken: false,
        },
        (Some(row), ToyEvent::Renamed(renamed)) => {
            ToyRow { name: renamed.name, version, ..row.clone() }
        }
        (Some(row), ToyEvent::Broken(_)) => ToyRow { broken: true, version, ..row.clone() },
        _ => return Err("it does not fit".to_owned()),
    })
}

const LANDMARK: &str =
    "SELECT created_position, id FROM toys ORDER BY created_position DESC LIMIT 1";

impl Schema<Sqlite> for Toys {
    const DIGEST: &'static [&'static str] = &[
        "SELECT json_array(created_position, hex(id), name, version, broken) FROM toys ORDER BY 1",
    ];
    const LANDMARK: &'static str = LANDMARK;

    fn migrations() -> Migrator {
        sqlx::migrate!("src/conformance/toys/sqlite")
    }

    async fn known(pool: &SqlitePool, keys: &[Uuid]) -> Result<Vec<ToyRow>, DatabaseError> {
        let mut known = Vec::new();
        for key in keys {
            let row = sqlx::query_as("SELECT * FROM toys WHERE id = ?").bind(key);
            known.extend(row.fetch_optional(pool).await?);
        }
        Ok(known)
    }

    async fn write(
        tables: &mut SqliteConnection,
        changes: &Vec<ToyRow>,
        _: bool,
    ) -> Result<(), DatabaseError> {
        for row in changes {
            sqlx::query("INSERT OR REPLACE INTO toys VALUES (?, ?, ?, ?, ?)")
                .bind(row.created_position)
                .bind(row.id)
                .bind(&row.name)
                .bind(row.version)
                .bind(row.broken)
                .execute(&mut *tables)
                .await?;
        }
        Ok(())
    }
}

impl Schema<Postgres> for Toys {
    const DIGEST: &'static [&'static str] = &[
        "SELECT json_build_array(created_position, id, name, version, broken)::text FROM toys ORDER BY created_position",
    ];
    const LANDMARK: &'static str = LANDMARK;

    fn migrations() -> Migrator {
        sqlx::migrate!("src/conformance/toys/postgres")
    }

    async fn known(pool: &PgPool, keys: &[Uuid]) -> Result<Vec<ToyRow>, DatabaseError> {
        sqlx::query_as("SELECT * FROM toys WHERE id = ANY ($1)").bind(keys).fetch_all(pool).await
    }

    async fn write(
        tables: &mut PgConnection,
        changes: &Vec<ToyRow>,
        _: bool,
    ) -> Result<(), DatabaseError> {
        for row in changes {
            sqlx::query(
                "INSERT INTO toys VALUES ($1, $2, $3, $4, $5) ON CONFLICT (created_position)
                 DO UPDATE SET name = excluded.name, version = excluded.version, broken = excluded.broken",
            )
            .bind(row.created_position)
            .bind(row.id)
            .bind(&row.name)
            .bind(row.version)
            .bind(row.broken)
            .execute(&mut *tables)
            .await?;
        }
        Ok(())
    }
}

/// The step between two positions.
pub(super) fn step(from: u64, to: u64, epoch: i64) -> Step {
    let stream = StreamIdentity::new(Uuid::from_u128(1));
    Step { from, to: Mark { stream, position: to, stored_at: 0 }, epoch }
}

/// A toy is made, at `position`.
pub(super) fn made(id: AggregateId, position: u64) -> RecordedEvent {
    let event = ToyMade { name: format!("toy {position}"), owner: user("ann") };
    recorded(TOY, id, &event.into(), 1, position)
}

/// It gets another name.
pub(super) fn renamed(id: AggregateId, version: u64, position: u64) -> RecordedEvent {
    let event = ToyRenamed { name: format!("toy {position}") };
    recorded(TOY, id, &event.into(), version, position)
}

/// It breaks.
pub(super) fn broken(id: AggregateId, version: u64, position: u64) -> RecordedEvent {
    recorded(TOY, id, &ToyBroken {}.into(), version, position)
}

/// `event` of an aggregate of `context`, as it comes from the stream.
pub(super) fn recorded(
    context: &str,
    aggregate_id: AggregateId,
    event: &ToyEvent,
    version: u64,
    position: u64,
) -> RecordedEvent {
    let command = CommandId::generate();
    let event = NewEvent {
        id: command.event_id(aggregate_id, 0),
        event_type: event.event_type().to_owned(),
        schema_version: 1,
        version,
        time: OffsetDateTime::UNIX_EPOCH,
        metadata: Metadata {
            correlation_id: CorrelationId::generate(),
            causation_id: command,
            fingerprint: Fingerprint::of("test", b""),
            user_id: user("ann"),
            traceparent: None,
        },
        data: event.encode().expect("JSON"),
    };
    RecordedEvent { context: context.to_owned(), aggregate_id, position, event }
}
