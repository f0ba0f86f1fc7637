#![doc = include_str!("../README.md")]

mod commands;
mod domain;
#[cfg(test)]
mod properties;

use std::sync::Arc;

use eventsourcing::Executor;
use messaging::{Connection, JetStreamEventStore, JetStreamSnapshots, Link, NatsSettings};
use serde::Deserialize;
use service_kit::Context;

use crate::commands::Commands;

/// The service's name: its NATS user, its queue group.
pub const NAME: &str = "article";

/// What the service reads of the settings.
#[derive(Debug, Clone, Deserialize)]
pub struct Settings {
    /// Where NATS is.
    pub nats: NatsSettings,
}

/// Runs the service until it is told to stop.
pub async fn run(settings: Settings, context: Context) -> anyhow::Result<()> {
    let ready = context.health.component("article");
    let stop = context.lifecycle.stop_token();
    let Some(connection) = Connection::open(&settings.nats, NAME, stop).await? else {
        return Ok(());
    };
    context.health.follow("article: nats", connection.link(), Link::problem);
    let snapshots = JetStreamSnapshots::start(connection.clone());
    let store = JetStreamEventStore::new(connection.clone());
    let executor = Arc::new(Executor::with_snapshots(store, snapshots.clone()));
    let commands = Commands::serve(&connection, executor, stop).await?;
    ready.ready();
    commands.run().await;
    snapshots.close().await;
    connection.close().await;
    Ok(())
}
