//! What a run leaves behind.

use std::{fs, path::Path};

use anyhow::Context as _;

use crate::{chart, report::Report};

/// Writes `bench.json` and `bench.svg` into `folder`.
pub fn write(report: &Report, folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    let json = serde_json::to_string_pretty(report).context("writing JSON failed")?;
    fs::write(folder.join("bench.json"), json).context("writing bench.json failed")?;
    fs::write(folder.join("bench.svg"), chart::svg(report)).context("writing bench.svg failed")?;
    service_kit::output::line(format_args!(
        "bench.json and bench.svg are in {}",
        folder.display()
    ))?;
    Ok(())
}
