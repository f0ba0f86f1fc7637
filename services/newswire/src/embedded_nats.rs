//! The nats-server child of the all-in-one: one at a time on its data, never left behind.

mod config;

use std::{
    env,
    fs::{self, File, TryLockError},
    io::ErrorKind,
    net::{SocketAddr, TcpListener},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::{oneshot, watch};

use crate::settings::EmbeddedNatsSettings;

/// How long a nats-server that still ends may hold its data.
const LOCK_PATIENCE: Duration = Duration::from_secs(15);
/// How often the lock is tried.
const LOCK_PAUSE: Duration = Duration::from_millis(50);
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
    password: String,
    pid: Pid,
    log: PathBuf,
    exited: watch::Receiver<Option<ExitStatus>>,
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
        let lock = lock(&dir.join("lock")).await?;
        let address = free_address(settings.listen)?;
        let password = config::password(&dir)?;
        let config = config::write(&dir, address, &settings.sync)?;
        fs::write(dir.join(ADDRESS_FILE), address.to_string())
            .context("writing the address failed")?;
        let mut command = Command::new(env::current_exe().context("finding this program failed")?);
        command
            .args(["exec-nats", "--parent", &std::process::id().to_string()])
            .arg("--binary")
            .arg(binary)
            .arg("--config")
            .arg(config)
            .envs(config::environment(&password))
            // The lock is held by this open file, so it lasts exactly as long as the nats-server.
            .stdin(lock)
            .stdout(Stdio::null())
            // A Ctrl-C in the terminal is for us: the services drain first.
            .process_group(0);
        let (pid, exited) = spawn(command).await?;
        let log = dir.join("nats-server.log");
        Ok(Self { address, password, pid, log, exited })
    }

    /// `nats://host:port`
    pub(crate) fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// The password of every user.
    pub(crate) fn password(&self) -> &str {
        &self.password
    }

    /// Returns when it has ended without being told to; says what is known of the reason.
    pub(crate) async fn unexpected_end(&mut self) -> anyhow::Error {
        let status = ended(&mut self.exited).await;
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let last = log.lines().last().unwrap_or("nothing in its log").to_owned();
        anyhow::anyhow!("nats-server ended ({status}): {last} (see {})", self.log.display())
    }

    /// Ends it and waits until it has ended.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        // It may have ended by itself; then there is nothing to tell.
        let _ = kill_process(self.pid, Signal::TERM);
        if tokio::time::timeout(STOP_PATIENCE, ended(&mut self.exited)).await.is_err() {
            let _ = kill_process(self.pid, Signal::KILL);
            bail!("nats-server did not end within {STOP_PATIENCE:?} and was killed");
        }
        Ok(())
    }
}

/// Waits for the end of the process; says how it was.
async fn ended(exited: &mut watch::Receiver<Option<ExitStatus>>) -> String {
    match exited.wait_for(Option::is_some).await.map(|status| *status) {
        Ok(Some(status)) => status.to_string(),
        _ => "status unknown".to_owned(),
    }
}

/// Starts `command` on a thread that lives as long as the child: the kernel ends the child with that thread.
async fn spawn(mut command: Command) -> anyhow::Result<(Pid, watch::Receiver<Option<ExitStatus>>)> {
    let (started, start) = oneshot::channel();
    let (ended, end) = watch::channel(None);
    std::thread::Builder::new()
        .name("nats-server".to_owned())
        .spawn(move || {
            let child = command.spawn();
            // The file with the lock is the child's now.
            drop(command);
            match child {
                Err(error) => drop(started.send(Err(error))),
                Ok(mut child) => {
                    let _ = started.send(Ok(child.id()));
                    if let Ok(status) = Child::wait(&mut child) {
                        ended.send_replace(Some(status));
                    }
                }
            }
        })
        .context("starting a thread failed")?;
    let id = start.await.context("the thread ended")?.context("starting nats-server failed")?;
    let pid = i32::try_from(id).ok().and_then(Pid::from_raw).context("a process has no id")?;
    Ok((pid, end))
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

/// Waits until nobody else has the data.
async fn lock(path: &Path) -> anyhow::Result<File> {
    let file = File::create(path).with_context(|| format!("opening {} failed", path.display()))?;
    let start = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if start.elapsed() < LOCK_PATIENCE => {
                tokio::time::sleep(LOCK_PAUSE).await;
            }
            Err(TryLockError::WouldBlock) => {
                bail!("another nats-server uses {}: is newswire running already?", path.display())
            }
            Err(TryLockError::Error(error)) => return Err(error).context("locking failed"),
        }
    }
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
