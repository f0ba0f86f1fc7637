#![doc = include_str!("../README.md")]

mod commands;
mod domain;
mod past;
mod projection;
#[cfg(test)]
mod properties;
mod settings;

pub use command_service::StoreKind;
pub use projection::{Articles, read_model};
pub use settings::ArticleSettings;

use command_service::{CommandService, Endpoints};
use contracts::article::{CreateArticle, DeleteArticle, GetArticleAt, GetHistory, UpdateArticle};
use messaging::{FingerprintSettings, NatsSettings};
use serde::Deserialize;
use service_kit::Context;

use crate::domain::{
    Article,
    bounded::{Bounded, Bounds},
};

/// The service's name: its NATS user, its queue group.
pub const NAME: &str = "article";

/// What the service reads of the settings.
#[derive(Debug, Clone, Deserialize)]
pub struct Settings {
    /// Where NATS is.
    pub nats: NatsSettings,
    /// How repeats of commands are recognised.
    pub fingerprint: FingerprintSettings,
    /// Its own section.
    pub article: ArticleSettings,
}

/// Runs the service until it is told to stop.
pub async fn run(settings: Settings, context: Context) -> anyhow::Result<()> {
    let database = settings.article.database()?;
    let bounds = Bounds { content: settings.article.max_content_chars };
    let articles = Endpoints::<Article>::new()
        .command_as(move |command: CreateArticle| Bounded::new(command, bounds))
        .command_as(move |command: UpdateArticle| Bounded::new(command, bounds))
        .command::<DeleteArticle>()
        .past::<GetHistory>()
        .past::<GetArticleAt>();
    CommandService::new(NAME)
        .fingerprints(settings.fingerprint.fingerprints()?)
        .aggregate(articles)
        .run(&settings.nats, database, context)
        .await
}
