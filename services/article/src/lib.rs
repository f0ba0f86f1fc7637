#![doc = include_str!("../README.md")]

mod commands;
mod domain;

use messaging::{Connection, Link, NatsSettings};
use serde::Deserialize;
use service_kit::Context;

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
    let server = commands::serve(&connection).await?;
    ready.ready();
    stop.cancelled().await;
    server.stop().await;
    connection.close().await;
    Ok(())
}
