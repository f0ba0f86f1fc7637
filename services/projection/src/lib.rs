#![doc = include_str!("../README.md")]

mod projector;
mod queries;
mod read_model;

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use messaging::{Connection, Link, NatsSettings, consumer::run_projector};
use serde::Deserialize;
use service_kit::{Context, settings::SettingsError};
use sqlx::sqlite::SqliteConnectOptions;

use crate::{projector::ArticleProjector, read_model::ReadModel};

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

/// `[projection]`
#[derive(Debug, Clone, Deserialize)]
pub struct ProjectionSettings {
    /// The database; empty for a file in the data folder.
    pub database: String,
    /// How long a read may wait for a position, in milliseconds.
    pub max_wait_ms: u64,
}

/// Runs the service until it is told to stop.
pub async fn run(settings: Settings, context: Context) -> anyhow::Result<()> {
    let ready = context.health.component("projection");
    let stop = context.lifecycle.stop_token();
    let database = match settings.projection.database.as_str() {
        "" => SqliteConnectOptions::new().filename(settings.data_dir.join("read-model.db")),
        url if url.starts_with("sqlite:") => url.parse()?,
        _ => {
            return Err(
                SettingsError::wrong("projection.database", "sqlite:PATH was expected").into()
            );
        }
    };
    let read_model = ReadModel::open(database).await.context("opening the read model failed")?;
    let Some(connection) = Connection::open(&settings.nats, NAME, stop).await? else {
        return Ok(());
    };
    context.health.follow("projection: nats", connection.link(), Link::problem);
    let max_wait = Duration::from_millis(settings.projection.max_wait_ms);
    let server = queries::serve(&connection, &read_model, max_wait).await?;
    ready.ready();
    let projector = ArticleProjector::new(read_model.clone());
    run_projector(&connection, &projector, stop).await?;
    server.stop().await;
    connection.close().await;
    read_model.close().await;
    Ok(())
}
