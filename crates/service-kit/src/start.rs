//! The `main` of every service binary.

use std::{future::Future, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use crate::{
    Health, Lifecycle, Site, admin, healthcheck,
    http::{
        connections::Connections,
        server::{self, Limits},
    },
    lifecycle, output,
    settings::{self, CommonSettings},
    telemetry,
};

/// Connections to the private address at once.
const MAX_ADMIN: usize = 64;
/// How often measurements are summed up.
const UPKEEP: Duration = Duration::from_secs(5);

/// What a running service is given beside its settings. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// Its tasks, and the signal to stop.
    pub lifecycle: Lifecycle,
    /// Its say in `/readyz`.
    pub health: Health,
    /// The public address, if it wants to be on it.
    pub site: Site,
}

#[derive(Parser)]
#[command(version, after_help = "Every setting is explained in deploy/newswire.toml.")]
struct Arguments {
    /// The settings file; ./newswire.toml when it is there
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Ask the process that runs with the same settings whether it is ready; the exit code says so
    Healthcheck,
}

/// Runs the service `name` as a process: reads its settings `S`, calls `run`, waits for a signal, drains.
///
/// The exit code is 0 only when a signal ended it and everything in flight was done.
pub fn start<S, F, Fut>(name: &'static str, run: F) -> ExitCode
where
    S: DeserializeOwned,
    F: FnOnce(S, Context) -> Fut,
    Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let arguments = Arguments::parse();
    if let Some(Command::Healthcheck) = arguments.command {
        return healthcheck::run(arguments.config.as_deref())
            .unwrap_or_else(|error| failed(name, &error));
    }
    let result = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting the runtime failed")
        .and_then(|runtime| runtime.block_on(process(name, &arguments, run)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(name, &error),
    }
}

fn failed(name: &str, error: &anyhow::Error) -> ExitCode {
    output::complain(format_args!("{name}: {error:#}"));
    ExitCode::FAILURE
}

async fn process<S, F, Fut>(name: &'static str, arguments: &Arguments, run: F) -> anyhow::Result<()>
where
    S: DeserializeOwned,
    F: FnOnce(S, Context) -> Fut,
    Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let common: CommonSettings = settings::load(arguments.config.as_deref())?;
    let own: S = settings::load(arguments.config.as_deref())?;
    telemetry::init_logs(&common.log)?;
    let lifecycle = Lifecycle::new(Duration::from_millis(common.shutdown.grace_ms));
    let health = Health::default();
    serve_admin(name, &common, &lifecycle, &health)?;
    let site = Site::new(common.http, lifecycle.clone(), health.clone());
    let context = Context { lifecycle: lifecycle.clone(), health, site };
    lifecycle.run(name, run(own, context));
    tracing::info!(service = name, version = env!("CARGO_PKG_VERSION"), "started");
    tokio::select! {
        signal = lifecycle::termination() => signal?,
        () = lifecycle.stopping() => {}
    }
    let result = lifecycle.finish().await;
    tracing::info!(service = name, "stopped");
    result
}

/// Serves the private address of the process `name`.
///
/// # Errors
/// It cannot be bound, or metrics are set up already.
pub fn serve_admin(
    name: &'static str,
    settings: &CommonSettings,
    lifecycle: &Lifecycle,
    health: &Health,
) -> anyhow::Result<()> {
    let metrics = telemetry::init_metrics()?;
    telemetry::describe(name);
    lifecycle.spawn(upkeep(metrics.clone(), lifecycle.stop_token().clone()));
    let routes = admin::routes(health.clone(), metrics);
    let listener = server::bind(settings.admin.listen, "admin.listen")?;
    let (limits, places) = (Limits::from(&settings.http), Connections::private(MAX_ADMIN));
    lifecycle.spawn(server::serve(
        listener,
        routes,
        limits,
        places,
        lifecycle.stop_token().clone(),
    ));
    Ok(())
}

/// Lets the recorder let go of what was measured since: without it, it would keep every sample until somebody asks.
async fn upkeep(metrics: PrometheusHandle, stop: CancellationToken) {
    let mut tick = tokio::time::interval(UPKEEP);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => metrics.run_upkeep(),
        }
    }
}
