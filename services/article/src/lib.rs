#![doc = include_str!("../README.md")]

mod commands;
mod domain;
mod per_stream;
#[cfg(test)]
mod properties;
mod queries;
mod settings;
mod store;

pub use settings::{ArticleSettings, StoreKind};

use std::sync::Arc;

use eventsourcing::Executor;
use messaging::{Connection, JetStreamSnapshots, Link, NatsSettings, history};
use serde::Deserialize;
use service_kit::{Context, health::State};
use store::Store;

use crate::{commands::Commands, domain::bounded::Bounds, per_stream::PerStream};

/// The service's name: its NATS user, its queue group.
pub const NAME: &str = "article";

/// What the service reads of the settings.
#[derive(Debug, Clone, Deserialize)]
pub struct Settings {
    /// Where NATS is.
    pub nats: NatsSettings,
    /// Its own section.
    pub article: ArticleSettings,
}

/// Runs the service until it is told to stop.
pub async fn run(settings: Settings, context: Context) -> anyhow::Result<()> {
    let ready = context.health.component("article");
    let stop = context.lifecycle.stop_token();
    let database = settings.article.database()?;
    let bounds = Bounds { content: settings.article.max_content_chars };
    let Some(connection) = Connection::open(&settings.nats, NAME, stop).await? else {
        return Ok(());
    };
    context.health.follow("article: nats", connection.link(), Link::problem);
    context.health.follow("article: permissions", connection.permissions(), Option::clone);
    context.health.follow("article: stream", connection.reading(), Option::clone);
    context.health.follow_state("article: history", connection.damage(), |damage| {
        history::warning(damage).map_or(State::Ready, State::Warning)
    });
    let Some(store) = Store::open(database, &connection, &context).await? else {
        return Ok(());
    };
    let snapshots = JetStreamSnapshots::start(connection.clone());
    let (kept, shortcuts) = (store.clone(), snapshots.clone());
    let executors = PerStream::new(connection.clone(), move |stream| {
        Executor::with_snapshots(kept.clone(), shortcuts.of(stream))
    });
    let executors = Arc::new(executors);
    let commands = Commands::serve(&connection, executors, bounds, &store, stop).await?;
    ready.ready();
    commands.run().await;
    // What was taken is answered before the relay, which the answers wait for, ends.
    store.close().await;
    snapshots.close().await;
    connection.close().await;
    Ok(())
}
