//! The connection of the administrator.

use std::path::Path;

use anyhow::Context as _;
use messaging::{Connection, NatsSettings};
use serde::Deserialize;
use service_kit::settings;
use tokio_util::sync::CancellationToken;

use super::provision::ADMIN;
use crate::{embedded_nats, settings::RunSettings};

/// How long the server may take to be there.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

#[derive(Deserialize)]
struct Nats {
    nats: NatsSettings,
}

/// Connects to the NATS of the settings, or to the one that `newswire run` has started on this data folder.
pub(super) async fn connect(config: Option<&Path>) -> anyhow::Result<Connection> {
    let Nats { mut nats } = settings::load(config)?;
    if nats.url.is_empty() {
        let run: RunSettings = settings::load(config)?;
        let (url, password) = embedded_nats::access(&run.data_dir)?;
        nats = NatsSettings { url, user: String::new(), password: password.into(), ..nats };
    }
    let stop = CancellationToken::new();
    let connecting = Connection::open(&nats, ADMIN, &stop);
    let connection = tokio::time::timeout(PATIENCE, connecting).await;
    let connection = connection.map_err(|_| anyhow::anyhow!("no NATS server answers"))??;
    connection.context("the connection was not made")
}
