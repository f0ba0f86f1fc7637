//! `newswire exec-nats`: becomes the nats-server that `newswire run` has asked for.
//!
//! It exists for one system call: the kernel is to end the nats-server when `newswire run` ends, however it ends.
//! That can only be asked for by the process itself, between its start and its becoming another program.

use std::{
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Command, ExitCode},
};

use anyhow::{Context as _, bail};
use clap::Args;

/// What to become.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The nats-server.
    #[arg(long)]
    pub binary: PathBuf,
    /// Its configuration.
    #[arg(long)]
    pub config: PathBuf,
    /// The process to end with.
    #[arg(long)]
    pub parent: i32,
}

/// Does not return, unless it fails.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    end_with_parent(arguments.parent)?;
    let error = Command::new(&arguments.binary).arg("--config").arg(&arguments.config).exec();
    Err(error).with_context(|| format!("starting {} failed", arguments.binary.display()))
}

#[cfg(target_os = "linux")]
fn end_with_parent(parent: i32) -> anyhow::Result<()> {
    use rustix::process::{Signal, getppid, set_parent_process_death_signal};

    set_parent_process_death_signal(Some(Signal::TERM)).context("asking the kernel failed")?;
    // It may have ended before we asked.
    if getppid().map(|pid| pid.as_raw_nonzero().get()) != Some(parent) {
        bail!("the process to end with is gone");
    }
    Ok(())
}

/// Elsewhere a killed `newswire run` leaves its nats-server behind, and the next start waits for its lock.
#[cfg(not(target_os = "linux"))]
fn end_with_parent(_: i32) -> anyhow::Result<()> {
    Ok(())
}
