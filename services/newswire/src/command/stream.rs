//! `newswire stream`: which stream of events this is.

use std::{path::Path, process::ExitCode};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use messaging::Connection;
use service_kit::output;

use super::{admin, block_on};

/// What to do.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the identity of the stream and the position it ends at
    Show,
    /// Give the stream a new identity: positions that clients know of it are refused from then on
    #[command(
        after_help = "For a backup that was restored together with everything that is made from it: then no service\nremembers what the backup lacks, and only clients do. Their positions are refused, and they read anew."
    )]
    Renew {
        /// Why, for the log and for those who look at the stream later
        #[arg(long, default_value = "an operator renewed it")]
        reason: String,
    },
}

/// Does what `arguments` say.
pub fn run(config: Option<&Path>, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    block_on(async {
        let connection = admin::connect(config).await?;
        let done = execute(&connection, &arguments.command).await;
        connection.close().await;
        done
    })
}

async fn execute(connection: &Connection, command: &Command) -> anyhow::Result<ExitCode> {
    let stream = connection.stream().stream();
    let end = stream.end().await?;
    let (before, last) =
        end.context("there is no stream of events: newswire provision makes it")?;
    match command {
        Command::Show => {
            output::report(format_args!("identity {before}"))?;
            output::report(format_args!("last position {last}"))?;
        }
        Command::Renew { reason } => {
            let identity = stream.renew(reason).await?;
            output::report(format_args!("identity {identity}, before {before}"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
