#![doc = include_str!("../README.md")]

mod chart;
mod load;
mod report;
mod system;
mod ways;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::Parser;

use crate::{
    report::{Cell, Report},
    system::System,
};

/// The settings of the server's durability.
const SYNCS: [&str; 2] = ["always", "1s"];
/// Clients at once.
const CONCURRENCIES: [usize; 3] = [1, 16, 64];

#[derive(Parser)]
#[command(about = "Measures Newswire beside the bare NATS client")]
struct Arguments {
    /// How long each figure is measured, in seconds
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// The folder for bench.json and bench.svg
    #[arg(long, default_value = "target/bench")]
    output: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Runtime::new().context("starting the runtime failed");
    match runtime.and_then(|runtime| runtime.block_on(run(&arguments))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let duration = Duration::from_secs(arguments.seconds);
    let mut report = Report::default();
    for sync in SYNCS {
        let system = System::start(sync).await?;
        for concurrency in CONCURRENCIES {
            // One after the other at each step, so that a change of the machine's mood hits all three.
            let raw = load::measure(concurrency, duration, &system.raw()).await?;
            let command = load::measure(concurrency, duration, &system.command()).await?;
            let http = load::measure(concurrency, duration, &system.http()).await?;
            for (way, measured) in [("raw", &raw), ("command", &command), ("http", &http)] {
                report.add(Cell::new(sync, concurrency, way, measured, &raw));
            }
        }
        system.stop().await?;
    }
    println!("{report}");
    report.write(&arguments.output)
}
