#![doc = include_str!("../README.md")]

mod chart;
mod event;
mod http;
mod lanes;
mod load;
mod loading;
mod output;
mod reading;
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
    /// Only this durability: always or 1s
    #[arg(long)]
    sync: Option<String>,
    /// Only this number of clients at once
    #[arg(long)]
    clients: Option<usize>,
    /// Only this way, beside the bare client: command, http or claim
    #[arg(long)]
    way: Option<String>,
    /// How many events the stream has from which aggregates are loaded; 0 to leave that out
    #[arg(long, default_value_t = 1_000_000)]
    events: u64,
    /// How many events the read model is rebuilt from; 0 to leave the read side out
    #[arg(long, default_value_t = 200_000)]
    rebuild_events: u64,
    /// How many events each of a hundred aggregates has for a reaction; 0 to leave that out. Those of a poisoned one are
    /// all in hand at once, of which the server allows a thousand
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(0..=900))]
    lanes: u64,
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
            service_kit::output::complain(format_args!("bench: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let duration = Duration::from_secs(arguments.seconds);
    let mut report = Report::default();
    let chosen = |sync: &str| arguments.sync.as_deref().is_none_or(|only| only == sync);
    let clients = CONCURRENCIES.into_iter();
    let clients = clients.filter(|clients| arguments.clients.is_none_or(|only| only == *clients));
    let clients: Vec<usize> = clients.collect();
    for sync in SYNCS.into_iter().filter(|sync| chosen(sync)) {
        let system = System::start(sync).await?;
        for &concurrency in &clients {
            let wanted =
                |way: &str| way == "raw" || arguments.way.as_deref().is_none_or(|only| only == way);
            let (names, ways): (Vec<_>, Vec<_>) =
                system.ways().into_iter().filter(|(name, _)| wanted(name)).unzip();
            let measured = load::measure(concurrency, duration, &ways).await?;
            for (way, cell) in names.iter().zip(&measured) {
                report.add(Cell::new(sync, concurrency, way, cell, &measured[0]));
            }
        }
        system.stop().await?;
    }
    if arguments.events > 0 {
        report.loading = loading::measure(arguments.events).await?;
    }
    if arguments.rebuild_events > 0 {
        report.reading = reading::measure(arguments.rebuild_events, duration).await?;
    }
    if arguments.lanes > 0 {
        report.lanes = lanes::measure(arguments.lanes).await?;
    }
    service_kit::output::line(&report)?;
    output::write(&report, &arguments.output)
}
