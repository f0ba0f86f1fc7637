#![doc = include_str!("../README.md")]

mod active;
mod catalog;
mod commits;
#[cfg(test)]
mod conformance;
pub mod control;
mod fold;
mod follower;
mod live;
mod origin;
mod postgres;
mod projector;
mod queries;
mod rebuild;
mod search_text;
mod settings;
mod sqlite;
mod tables;
mod time;

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use messaging::{
    Connection, Link, NatsSettings, Throttle,
    consumer::{Backoff, measure_lag},
    history,
};
use serde::Deserialize;
use service_kit::{
    Context,
    files::make_folder_of,
    health::{Component, State},
};
use sqlx::sqlite::SqliteError;
use tokio_util::sync::CancellationToken;

pub use crate::settings::ProjectionSettings;
use crate::{
    catalog::Database, follower::Follower, live::Live, projector::VERSION, settings::Place,
    tables::DatabaseError,
};

/// Error codes of databases that pass: a server starts or stops, has too many connections or no room, another replica
/// holds a lock.
const PASSING: [&str; 6] = ["57P01", "57P02", "57P03", "53300", "53100", "55P03"];
/// Those of SQLite, whose lower eight bits say as much: it is busy, an I/O error, the disk is full.
const PASSING_IN_SQLITE: [u32; 3] = [5, 10, 13];

/// The pauses between attempts to open the database: short enough for an end of the fault to be noticed soon.
const PATIENCE: Backoff = Backoff { base: Duration::from_millis(100), max: Duration::from_secs(2) };

/// The service's name: its NATS user, its queue group.
pub const NAME: &str = "projection";

/// What the service reads of the settings.
#[derive(Debug, Clone, Deserialize)]
pub struct Settings {
    /// Where files go that have no place of their own.
    pub data_dir: PathBuf,
    /// Where NATS is.
    pub nats: NatsSettings,
    /// Its own section.
    pub projection: ProjectionSettings,
}

/// Runs the service until it is told to stop.
pub async fn run(settings: Settings, context: Context) -> anyhow::Result<()> {
    match settings.projection.place(&settings.data_dir)? {
        Place::Sqlite(database) => {
            make_folder_of(database.path())?;
            Box::pin(run_on(database, settings, context)).await
        }
        Place::Postgres(database) => Box::pin(run_on(*database, settings, context)).await,
    }
}

async fn run_on<D: Database>(
    database: D,
    settings: Settings,
    context: Context,
) -> anyhow::Result<()> {
    let ready = context.health.component("projection");
    origin::describe();
    let stop = context.lifecycle.stop_token();
    let Some(live) = open(database, &ready, stop).await.context("opening the read model failed")?
    else {
        return Ok(());
    };
    announce_version(&live, settings.projection.rebuild_on_change).await?;
    let Some(connection) = Connection::open(&settings.nats, NAME, stop).await? else {
        return Ok(());
    };
    context.health.follow("projection: nats", connection.link(), Link::problem);
    context.health.follow("projection: permissions", connection.permissions(), Option::clone);
    context.health.follow("projection: stream", connection.reading(), Option::clone);
    context.health.follow_state("projection: history", connection.damage(), |damage| {
        history::warning(damage).map_or(State::Ready, State::Warning)
    });
    let max_wait = Duration::from_millis(settings.projection.max_wait_ms);
    let verdict = live.verdict().subscribe();
    context.health.follow("projection: read model", verdict, origin::Verdict::problem);
    let server = queries::serve(&connection, &live, max_wait).await?;
    ready.ready();
    let follower = Follower::new(live.clone());
    context.health.follow("projection: commits", live.commits().watch(), commits::Problems::first);
    context.health.follow("projection: database", follower.problem(), Option::clone);
    // One that fails ends the others: a read model that stands still must be seen.
    let ended = context.lifecycle.stop_token().child_token();
    let position = || live.position();
    let rebuild = settings.projection.rebuild_on_foreign_stream;
    let (control, active, (), (), ()) = tokio::join!(
        ending(&ended, control::serve(&connection, &live, &ended)),
        ending(&ended, active::run(&connection, &live, &follower, rebuild, &ended)),
        follower.run(&ended),
        origin::run(&connection, &live, &ended),
        measure_lag(&connection, NAME, position, &ended),
    );
    server.stop().await;
    connection.close().await;
    live.leave().await;
    control.and(active)
}

/// What comes of `work`, whose end is everybody's.
async fn ending<T>(ended: &CancellationToken, work: impl Future<Output = T>) -> T {
    let result = work.await;
    ended.cancel();
    result
}

/// Opens the read model, waiting for its database as long as it takes; `None` after `stop`.
async fn open<D: Database>(
    database: D,
    ready: &Component,
    stop: &CancellationToken,
) -> Result<Option<Live<D>>, DatabaseError> {
    let warnings = Throttle::new();
    for attempt in 1.. {
        let opened = async {
            database.prepare(VERSION).await?;
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
async fn announce_version<D: Database>(live: &Live<D>, rebuild: bool) -> anyhow::Result<()> {
    let current = live.current();
    if current.version == VERSION {
        return Ok(());
    }
    let (number, version) = (current.number, current.version);
    if version > VERSION {
        tracing::error!(
            number,
            version,
            code = VERSION,
            "newer code has filled the read model: this one answers from it and writes nothing, until a rollback"
        );
        return Ok(());
    }
    tracing::warn!(
        number,
        version,
        code = VERSION,
        "the projection has changed: a rebuild is due (newswire projection rebuild articles)"
    );
    if rebuild && let Err(reason) = control::begin(live.database(), false, false).await? {
        tracing::info!(reason, "no rebuild was begun");
    }
    Ok(())
}
