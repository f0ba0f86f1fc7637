//! `newswire run`

use std::{path::Path, process::ExitCode};

use super::block_on;
use crate::all_in_one;

/// Runs every service until a signal; the exit code is 0 only after an orderly end.
pub fn run(config: Option<&Path>) -> anyhow::Result<ExitCode> {
    block_on(all_in_one::run(config))?;
    Ok(ExitCode::SUCCESS)
}
