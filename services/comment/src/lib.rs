#![doc = include_str!("../README.md")]

mod commands;
mod domain;
mod past;
mod projection;
mod settings;
mod sweep;

pub use projection::{Comments, read_model};
pub use settings::CommentSettings;

use command_service::{CommandService, Endpoints};
use contracts::comment::{AddComment, DeleteComment, GetCommentHistory};
use messaging::{FingerprintSettings, NatsSettings};
use serde::Deserialize;
use service_kit::Context;

use crate::{commands::with_article, domain::Comment};

/// The service's name: its NATS user, its queue group.
pub const NAME: &str = "comment";

/// What the service reads of the settings.
#[derive(Debug, Clone, Deserialize)]
pub struct Settings {
    /// Where NATS is.
    pub nats: NatsSettings,
    /// How repeats of commands are recognised.
    pub fingerprint: FingerprintSettings,
    /// Its own section.
    pub comment: CommentSettings,
}

/// Runs the service until it is told to stop.
pub async fn run(settings: Settings, context: Context) -> anyhow::Result<()> {
    let database = settings.comment.database()?;
    let comments = Endpoints::<Comment>::new()
        .command_with(|command: AddComment, others| with_article(command, others))
        .command::<DeleteComment>()
        .past::<GetCommentHistory>();
    CommandService::new(NAME)
        .fingerprints(settings.fingerprint.fingerprints()?)
        .aggregate(comments)
        .beside(|connection, context| Box::pin(sweep::run(connection, context)))
        .run(&settings.nats, database, context)
        .await
}
