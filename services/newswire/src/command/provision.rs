//! `newswire provision`

use std::{path::Path, process::ExitCode};

use anyhow::Context as _;
use messaging::{Connection, NatsSettings, topology};
use serde::Deserialize;
use service_kit::{
    Lifecycle, lifecycle,
    settings::{self, CommonSettings},
    telemetry,
};

use super::block_on;
use crate::settings::ProvisionSettings;

/// The NATS user that may create streams.
pub(crate) const ADMIN: &str = "admin";

#[derive(Deserialize)]
struct Nats {
    nats: NatsSettings,
}

/// Creates the streams, or brings them up to date.
pub fn run(config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let common: CommonSettings = settings::load(config)?;
    let Nats { nats } = settings::load(config)?;
    let ProvisionSettings { nats: replicas } = settings::load(config)?;
    telemetry::init_logs(&common.log)?;
    block_on(async {
        let lifecycle = Lifecycle::new(std::time::Duration::ZERO);
        tokio::select! {
            result = provision(&nats, replicas.replicas, &lifecycle) => result?,
            signal = lifecycle::termination() => {
                signal?;
                return Ok(ExitCode::FAILURE);
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Provisions as the admin user, waiting for the server as long as `lifecycle` runs.
pub(crate) async fn provision(
    nats: &NatsSettings,
    replicas: usize,
    lifecycle: &Lifecycle,
) -> anyhow::Result<()> {
    let Some(connection) = Connection::open(nats, ADMIN, lifecycle.stop_token()).await? else {
        return Ok(());
    };
    topology::provision(&connection, replicas).await.context("provisioning NATS failed")?;
    connection.close().await;
    Ok(())
}
