//! Opening the database of a read model, which may not be there yet.

use std::time::Duration;

use messaging::{Throttle, consumer::Backoff};
use service_kit::health::Component;
use sqlx::sqlite::SqliteError;
use tokio_util::sync::CancellationToken;

use crate::{
    catalog::Database,
    control,
    live::Live,
    model::{DatabaseError, ReadModel},
};

/// Error codes of databases that pass: a server starts or stops, has too many connections or no room, another replica
/// holds a lock.
const PASSING: [&str; 6] = ["57P01", "57P02", "57P03", "53300", "53100", "55P03"];
/// Those of SQLite, whose lower eight bits say as much: it is busy, an I/O error, the disk is full.
const PASSING_IN_SQLITE: [u32; 3] = [5, 10, 13];

/// The pauses between attempts to open the database: short enough for an end of the fault to be noticed soon.
const PATIENCE: Backoff = Backoff { base: Duration::from_millis(100), max: Duration::from_secs(2) };

/// Opens the read model, waiting for its database as long as it takes; `None` after `stop`.
pub(crate) async fn open<D: Database>(
    database: D,
    ready: &Component,
    stop: &CancellationToken,
) -> Result<Option<Live<D>>, DatabaseError> {
    let warnings = Throttle::new();
    for attempt in 1.. {
        let opened = async {
            database.prepare(<D::Model>::VERSION).await?;
            Live::open(database.clone()).await
        };
        match opened.await {
            Ok(live) => {
                if let Some(held_back) = warnings.over() {
                    tracing::info!(held_back, "the database is there");
                }
                return Ok(Some(live));
            }
            Err(error) if !is_passing(&error) => return Err(error),
            Err(error) => {
                if let Some(held_back) = warnings.pass() {
                    tracing::warn!(%error, held_back, "waiting for the database");
                }
                ready.not_ready(format!("waiting for the database: {error}"));
            }
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(PATIENCE.pause(attempt)) => {}
        }
    }
    Ok(None)
}

/// Whether the database is only not there yet.
fn is_passing(error: &DatabaseError) -> bool {
    match error {
        DatabaseError::Io(_) | DatabaseError::PoolTimedOut => true,
        DatabaseError::Database(error) => {
            let code = error.code().unwrap_or_default();
            if error.try_downcast_ref::<SqliteError>().is_some() {
                return code
                    .parse()
                    .is_ok_and(|code: u32| PASSING_IN_SQLITE.contains(&(code & 0xff)));
            }
            code.starts_with("08") || PASSING.contains(&code.as_ref())
        }
        DatabaseError::Migrate(error) => match &**error {
            sqlx::migrate::MigrateError::Execute(error) => is_passing(error),
            _ => false,
        },
        _ => false,
    }
}

/// Says that a rebuild is due when this code makes something else of the events than what is live; older code makes
/// nothing of newer tables.
pub(crate) async fn announce_version<D: Database>(
    live: &Live<D>,
    rebuild: bool,
) -> anyhow::Result<()> {
    let (current, code) = (live.current(), <D::Model>::VERSION);
    if current.version == code {
        return Ok(());
    }
    let (number, version, name) = (current.number, current.version, <D::Model>::NAME);
    if version > code {
        tracing::error!(
            name,
            number,
            version,
            code,
            "newer code has filled the read model: this one answers from it and writes nothing, until a rollback"
        );
        return Ok(());
    }
    tracing::warn!(
        name,
        number,
        version,
        code,
        "the projection has changed: a rebuild is due (newswire projection rebuild NAME)"
    );
    if rebuild && let Err(reason) = control::begin(live.database(), false, false).await? {
        tracing::info!(reason, "no rebuild was begun");
    }
    Ok(())
}
