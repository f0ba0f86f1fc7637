//! One run of the nats-server.

use std::{
    env,
    fs::{self, File, TryLockError},
    io::{Read as _, Seek as _, SeekFrom},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::{oneshot, watch};

use super::config;

/// How long a nats-server that still ends may hold its data.
const LOCK_PATIENCE: Duration = Duration::from_secs(15);
/// How often the lock is tried.
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// What is started, each time.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) binary: PathBuf,
    pub(super) dir: PathBuf,
    pub(super) config: PathBuf,
    pub(super) password: String,
}

/// A nats-server that was started.
#[derive(Debug)]
pub(super) struct Process {
    pid: Pid,
    exited: watch::Receiver<Option<ExitStatus>>,
    log: PathBuf,
    /// Where the log ended before: what stands there is about an earlier run.
    log_start: u64,
}

impl Process {
    /// Starts one. It may not answer yet.
    pub(super) async fn start(plan: &Plan) -> anyhow::Result<Self> {
        let lock = lock(&plan.dir.join("lock")).await?;
        let log = plan.dir.join("nats-server.log");
        let log_start = fs::metadata(&log).map_or(0, |file| file.len());
        let mut command = Command::new(env::current_exe().context("finding this program failed")?);
        command
            .args(["exec-nats", "--parent", &std::process::id().to_string()])
            .arg("--binary")
            .arg(&plan.binary)
            .arg("--config")
            .arg(&plan.config)
            .envs(config::environment(&plan.password))
            // The lock is held by this open file, so it lasts exactly as long as the nats-server.
            .stdin(lock)
            .stdout(Stdio::null())
            // A Ctrl-C in the terminal is for us: the services drain first.
            .process_group(0);
        let (pid, exited) = spawn(command).await?;
        Ok(Self { pid, exited, log, log_start })
    }

    /// Returns when it has ended; says what is known of the reason.
    pub(super) async fn ended(&mut self) -> String {
        let status = ended(&mut self.exited).await;
        let said = said(&self.log, self.log_start).unwrap_or_default();
        let fatal = said.lines().rfind(|line| line.contains("[FTL]"));
        let last = fatal.or(said.lines().last()).unwrap_or("this run has logged nothing");
        format!("nats-server ended ({status}): {last} (see {})", self.log.display())
    }

    /// Ends it and waits until it has ended; says whether that took no longer than `patience`.
    pub(super) async fn stop(&mut self, patience: Duration) -> bool {
        // It may have ended by itself; then there is nothing to tell.
        let _ = kill_process(self.pid, Signal::TERM);
        if tokio::time::timeout(patience, ended(&mut self.exited)).await.is_ok() {
            return true;
        }
        let _ = kill_process(self.pid, Signal::KILL);
        ended(&mut self.exited).await;
        false
    }
}

/// What was written into `log` from `start` on; all of it when a new file was begun since.
fn said(log: &Path, start: u64) -> std::io::Result<String> {
    let mut file = File::open(log)?;
    if file.metadata()?.len() >= start {
        file.seek(SeekFrom::Start(start))?;
    }
    let mut said = Vec::new();
    file.read_to_end(&mut said)?;
    Ok(String::from_utf8_lossy(&said).into_owned())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_run_has_logged_is_not_said_again() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let log = dir.path().join("log");
        fs::write(&log, "an earlier run\n").expect("written");
        let start = fs::metadata(&log).expect("there").len();
        assert_eq!(said(&log, start).expect("read"), "");
        fs::write(&log, "an earlier run\nthis run\n").expect("written");
        assert_eq!(said(&log, start).expect("read"), "this run\n");
        fs::write(&log, "a new file\n").expect("written");
        assert_eq!(said(&log, start).expect("read"), "a new file\n");
    }
}
