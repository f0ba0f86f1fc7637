#![doc = include_str!("../README.md")]

use std::path::PathBuf;

use messaging::{Connection, Link, NatsSettings, history};
use read_model::{Host, ReadModel};
pub use read_model::{ProjectionSettings, control};
use serde::Deserialize;
use service_kit::{Context, health::State, settings::SettingsError};

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

/// A read model, as administrators name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named {
    /// What people call it.
    pub name: &'static str,
    /// Where it answers administrators, and what its dead letters are addressed to.
    pub consumer: &'static str,
}

/// The read models of the service.
pub const READ_MODELS: [Named; 2] = [named::<article::Articles>(), named::<comment::Comments>()];

const fn named<M: ReadModel>() -> Named {
    Named { name: M::NAME, consumer: M::NAMES.consumer }
}

/// Runs the service until it is told to stop.
pub async fn run(settings: Settings, context: Context) -> anyhow::Result<()> {
    let Settings { data_dir, nats, projection } = &settings;
    let host = Host { service: NAME, settings: projection, data_dir };
    let wrong = |error: read_model::PlaceError| {
        SettingsError::wrong("projection.database", error.to_string())
    };
    // Adding a read model: a line here, and one in `READ_MODELS`.
    let models = vec![
        article::read_model().place(&host).map_err(wrong)?,
        comment::read_model().place(&host).map_err(wrong)?,
    ];
    let stop = context.lifecycle.stop_token();
    let Some(connection) = Connection::open(nats, NAME, stop).await? else {
        return Ok(());
    };
    follow(&connection, &context);
    let done = read_model::run(models, &connection, &context).await;
    connection.close().await;
    done
}

/// Says in the health of the process whether it can work with NATS.
fn follow(connection: &Connection, context: &Context) {
    let health = &context.health;
    health.follow("projection: nats", connection.link(), Link::problem);
    health.follow("projection: permissions", connection.permissions(), Option::clone);
    health.follow("projection: stream", connection.reading(), Option::clone);
    health.follow_state("projection: history", connection.damage(), |damage| {
        history::warning(damage).map_or(State::Ready, State::Warning)
    });
}
