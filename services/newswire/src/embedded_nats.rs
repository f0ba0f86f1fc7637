//! The nats-server child of the all-in-one: one at a time on its data, never left behind, started again when it fails.

mod config;
mod process;
mod room;
mod supervise;

use std::{
    env, fs,
    io::ErrorKind,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail};
use messaging::NatsSettings;

use self::process::{Plan, Process};
use crate::settings::EmbeddedNatsSettings;

/// How long it may take to end.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// Where the address stands, for who wants to connect to it.
const ADDRESS_FILE: &str = "address";

/// The URL and the password of the nats-server that runs, or ran last, with its data in `data_dir`.
pub(crate) fn access(data_dir: &Path) -> anyhow::Result<(String, String)> {
    let dir = data_dir.join("nats");
    let read = |name: &str| {
        let path = dir.join(name);
        fs::read_to_string(&path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => anyhow::anyhow!(
                "newswire has not run with its data in {}; or set nats.url",
                data_dir.display()
            ),
            _ => anyhow::anyhow!("reading {} failed: {error}", path.display()),
        })
    };
    Ok((
        format!("nats://{}", read(ADDRESS_FILE)?.trim()),
        read(config::PASSWORD_FILE)?.trim().to_owned(),
    ))
}

/// A running nats-server.
#[derive(Debug)]
pub(crate) struct EmbeddedNats {
    address: SocketAddr,
    plan: Plan,
    process: Process,
}

impl EmbeddedNats {
    /// Starts one with its data in `data_dir/nats`. It may not answer yet.
    pub(crate) async fn start(
        settings: &EmbeddedNatsSettings,
        data_dir: &Path,
    ) -> anyhow::Result<Self> {
        let binary = find_binary(&settings.binary)?;
        let dir = data_dir.join("nats");
        fs::create_dir_all(&dir).with_context(|| format!("creating {} failed", dir.display()))?;
        let dir = dir.canonicalize().context("resolving the data folder failed")?;
        let address = free_address(settings.listen)?;
        let password = config::password(&dir)?;
        let config = config::write(&dir, address, settings)?;
        config::write_changed(&dir.join(ADDRESS_FILE), &address.to_string())?;
        let plan = Plan { binary, dir, config, password };
        let process = Process::start(&plan).await?;
        Ok(Self { address, plan, process })
    }

    /// `nats://host:port`
    pub(crate) fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// The password of every user.
    pub(crate) fn password(&self) -> &str {
        &self.plan.password
    }

    /// How its system user connects.
    fn system(&self) -> NatsSettings {
        NatsSettings {
            url: self.url(),
            user: "system".to_owned(),
            password: self.password().into(),
            ca_file: String::new(),
        }
    }

    /// Ends it and waits until it has ended.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        if !self.process.stop(STOP_PATIENCE).await {
            bail!("nats-server did not end within {STOP_PATIENCE:?} and was killed");
        }
        Ok(())
    }
}

/// The nats-server to run.
fn find_binary(setting: &str) -> anyhow::Result<PathBuf> {
    if !setting.is_empty() {
        return Ok(setting.into());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let candidates = std::iter::once(PathBuf::from(".tools")).chain(env::split_paths(&path));
    candidates.map(|folder| folder.join("nats-server")).find(|file| file.is_file()).context(
        "no nats-server: `make tools` installs one; or set embedded_nats.binary, or nats.url",
    )
}

/// `wanted`, or the same host with a free port when it is taken.
fn free_address(wanted: SocketAddr) -> anyhow::Result<SocketAddr> {
    if let Ok(listener) = TcpListener::bind(wanted) {
        return Ok(listener.local_addr()?);
    }
    let listener = TcpListener::bind((wanted.ip(), 0)).with_context(|| {
        format!("no port is free on {} (setting embedded_nats.listen)", wanted.ip())
    })?;
    let address = listener.local_addr()?;
    tracing::warn!(%wanted, %address, "the NATS port is taken, another one is used");
    Ok(address)
}
