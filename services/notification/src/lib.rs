#![doc = include_str!("../README.md")]

mod able;
mod address;
mod delivery;
mod letter;
mod message;
mod notifier;
mod opening;
mod record;

use std::{path::PathBuf, sync::Arc};

use anyhow::Context as _;
use messaging::{
    Connection, Link, NatsSettings,
    consumer::run_reaction_in_turns,
    history,
    lease::{Lease, Waiting},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use service_kit::{
    Context,
    files::make_folder_of,
    health::{Component, State},
    settings::SettingsError,
};
use sqlx::sqlite::SqliteConnectOptions;

use crate::{delivery::Delivery, message::Composer, notifier::Notifier};

/// The service's name: its NATS user, its durable.
pub const NAME: &str = "notification";

/// What the service reads of the settings.
#[derive(Debug, Clone, Deserialize)]
pub struct Settings {
    /// Where files go that have no place of their own.
    pub data_dir: PathBuf,
    /// Where NATS is.
    pub nats: NatsSettings,
    /// Its own section.
    pub notification: NotificationSettings,
}

/// `[notification]`
#[derive(Debug, Clone, Deserialize)]
pub struct NotificationSettings {
    /// The database; empty for a file in the data folder.
    pub database: String,
    /// The mail server; empty for files.
    pub smtp_url: SecretString,
    /// The folder for files; empty for one in the data folder.
    pub mail_dir: String,
    /// The sender.
    pub from: String,
    /// The domain of users whose id is no address.
    pub mail_domain: String,
}

/// Runs the service until it is told to stop.
pub async fn run(settings: Settings, context: Context) -> anyhow::Result<()> {
    let ready = context.health.component("notification");
    let stop = context.lifecycle.stop_token();
    let own = &settings.notification;
    let database = match settings.notification.database.as_str() {
        "" => SqliteConnectOptions::new().filename(settings.data_dir.join("notifications.db")),
        url if url.starts_with("sqlite:") => url.parse()?,
        _ => {
            return Err(
                SettingsError::wrong("notification.database", "sqlite:PATH was expected").into()
            );
        }
    };
    let mail_dir = match own.mail_dir.as_str() {
        "" => settings.data_dir.join("mail"),
        path => path.into(),
    };
    let composer = Composer::new(&own.from, &own.mail_domain)?;
    let delivery = Arc::new(Delivery::new(own.smtp_url.expose_secret(), mail_dir).await?);

    make_folder_of(database.get_filename())?;
    let recording = context.health.component("notification: record");
    let opened = opening::open(database, &recording, stop).await;
    let Some((record, record_id)) = opened.context("opening the record failed")? else {
        return Ok(());
    };
    let Some(connection) = Connection::open(&settings.nats, NAME, stop).await? else {
        return Ok(());
    };
    context.health.follow("notification: nats", connection.link(), Link::problem);
    context.health.follow("notification: permissions", connection.permissions(), Option::clone);
    context.health.follow("notification: stream", connection.reading(), Option::clone);
    context.health.follow_state("notification: history", connection.damage(), |damage| {
        history::warning(damage).map_or(State::Ready, State::Warning)
    });
    let notifier = Arc::new(Notifier::new(composer, delivery.clone(), record.clone()));
    let lease = Lease::new(&connection, NAME, record_id);
    let sending = context.health.component("notification: delivery");
    let waiting = |why: Option<&Waiting>| report(&ready, why);
    tokio::select! {
        () = run_reaction_in_turns(&connection, &lease, &notifier, stop, waiting) => {}
        never = able::watch(&record, &recording, &delivery, &sending) => match never {},
    }
    connection.close().await;
    record.close().await;
    Ok(())
}

/// A process that waits for its turn does all that it is there for; one that would never get it does not.
fn report(ready: &Component, waiting: Option<&Waiting>) {
    match waiting {
        None | Some(Waiting::ForTurn) => ready.ready(),
        Some(Waiting::ForeignRecord) => ready.not_ready(
            "another notification process keeps another record: all need the same notification.database",
        ),
        Some(Waiting::Away(reason)) => ready.not_ready(format!("whose turn it is cannot be read: {reason}")),
    }
}
