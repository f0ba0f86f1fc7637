//! The command line.

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use newswire::command::{
    dead, exec_nats, import, projection, provision, run, stream, token, verify,
};
use service_kit::{
    healthcheck,
    output::{self, OutputError},
};

#[derive(Parser)]
#[command(name = "newswire", version, about = "An event-driven article platform on NATS")]
#[command(after_help = "Every setting is explained in deploy/newswire.toml.")]
struct Arguments {
    /// The settings file; ./newswire.toml when it is there
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run every service in this process, with a nats-server of its own unless nats.url is set
    Run,
    /// Print a token for development
    Token(token::Arguments),
    /// Post articles from a site of Hugo, Zola or Jekyll, Markdown files or JSON Lines; again creates nothing new
    Import(import::Arguments),
    /// Look at what consumers gave up on, have it tried again, or throw it away
    Dead(dead::Arguments),
    /// Look at the read model, rebuild it beside the live one, switch between the two
    Projection(projection::Arguments),
    /// Read the whole stream of events and say what is missing from it; the exit code is 1 when something is
    Verify,
    /// Print which stream of events this is, or give it a new identity after a restore that nothing else recognises
    Stream(stream::Arguments),
    /// Create the streams on the NATS server of the settings, or bring them up to date
    Provision,
    /// Ask the process that runs with the same settings whether it is ready; the exit code says so
    Healthcheck,
    #[command(hide = true)]
    ExecNats(exec_nats::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let config = arguments.config.as_deref();
    let result = match &arguments.command {
        Command::Run => run::run(config),
        Command::Token(arguments) => token::run(config, arguments),
        Command::Import(arguments) => import::run(config, arguments),
        Command::Dead(arguments) => dead::run(config, arguments),
        Command::Projection(arguments) => projection::run(config, arguments),
        Command::Verify => verify::run(config),
        Command::Stream(arguments) => stream::run(config, arguments),
        Command::Provision => provision::run(config),
        Command::Healthcheck => healthcheck::run(config),
        Command::ExecNats(arguments) => exec_nats::run(arguments),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            if matches!(error.downcast_ref(), Some(OutputError::Closed)) {
                return ExitCode::SUCCESS;
            }
            output::complain(format_args!("newswire: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
