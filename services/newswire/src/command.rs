//! One subcommand a file. Each tells the exit code, or what went wrong.

mod admin;
pub mod dead;
pub mod exec_nats;
pub mod import;
pub mod projection;
pub mod provision;
pub mod run;
pub mod stream;
pub mod token;
pub mod verify;

use std::future::Future;

use anyhow::Context as _;

/// Runs `future` on a runtime of its own.
fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting the runtime failed")?
        .block_on(future)
}
