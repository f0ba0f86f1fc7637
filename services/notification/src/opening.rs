//! Opening the record, which a full disk may refuse for a while.

use std::time::Duration;

use messaging::Throttle;
use service_kit::health::Component;
use sqlx::{Error, migrate::MigrateError, sqlite::SqliteConnectOptions};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::record::Record;

/// The pause between two attempts.
const PAUSE: Duration = Duration::from_secs(1);
/// Errors of SQLite that pass, by their lower eight bits: it is busy, locked, an I/O error, the disk is full.
const PASSING: [u32; 4] = [5, 6, 10, 13];

/// Opens the record in `database`, with its id, and waits as long as that fails for a reason that passes; `None` after `stop`.
pub(crate) async fn open(
    database: SqliteConnectOptions,
    component: &Component,
    stop: &CancellationToken,
) -> Result<Option<(Record, Uuid)>, Error> {
    tokio::select! {
        opened = until_open(database, component) => opened.map(Some),
        () = stop.cancelled() => Ok(None),
    }
}

async fn until_open(
    database: SqliteConnectOptions,
    component: &Component,
) -> Result<(Record, Uuid), Error> {
    let warnings = Throttle::new();
    loop {
        match try_to_open(database.clone()).await {
            Ok(opened) => {
                if let Some(held_back) = warnings.over() {
                    tracing::info!(held_back, "the record is open");
                }
                return Ok(opened);
            }
            Err(error) if !is_passing(&error) => return Err(error),
            Err(error) => {
                if let Some(held_back) = warnings.pass() {
                    tracing::warn!(%error, held_back, "waiting for the record");
                }
                component.not_ready(format!("the record cannot be opened: {error}"));
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn try_to_open(database: SqliteConnectOptions) -> Result<(Record, Uuid), Error> {
    let record = Record::open(database).await?;
    let id = record.id().await?;
    Ok((record, id))
}

fn is_passing(error: &Error) -> bool {
    match error {
        Error::Io(_) | Error::PoolTimedOut => true,
        Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            code.parse().is_ok_and(|code: u32| PASSING.contains(&(code & 0xff)))
        }
        Error::Migrate(error) => {
            matches!(&**error, MigrateError::Execute(error) if is_passing(error))
        }
        _ => false,
    }
}
