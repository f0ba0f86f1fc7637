//! `newswire projection`: generations of the read model.

mod follow;
mod print;

use std::{path::Path, process::ExitCode};

use clap::{Args, Subcommand};
use messaging::{Connection, control};
use projection::control::{Question, Reply, Status};

use super::{admin, block_on};

/// What to do.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the generations: number, state, version, position, how far behind, what is remarkable
    Status,
    /// Fill a new generation beside the live one from the first event on, then switch to it
    Rebuild {
        /// The projection: articles
        name: String,
        /// Do not switch when it has caught up; `promote` does that
        #[arg(long)]
        hold: bool,
        /// Before the switch, compare the two row for row; live updates wait meanwhile
        #[arg(long)]
        verify: bool,
        /// Do not wait until it is done
        #[arg(long)]
        detach: bool,
    },
    /// Switch to the generation that is held
    Promote,
    /// Bring the previous generation up to date and switch back to it
    Rollback,
    /// Give the generation up that is being built; the live one stays
    Cancel,
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
    match command {
        Command::Status => {
            print::status(&ask(connection, Question::Status {}).await?)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Rebuild { name, hold, verify, detach } => {
            let (name, hold, verify) = (name.clone(), *hold, *verify);
            let status = ask(connection, Question::Rebuild { name, hold, verify }).await?;
            if *detach {
                print::status(&status)?;
                return Ok(ExitCode::SUCCESS);
            }
            follow::follow(connection, status).await
        }
        Command::Promote => {
            let status = ask(connection, Question::Promote {}).await?;
            follow::follow(connection, status).await
        }
        Command::Rollback => {
            let status = ask(connection, Question::Rollback {}).await?;
            follow::follow(connection, status).await
        }
        Command::Cancel => {
            print::status(&ask(connection, Question::Cancel {}).await?)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Asks the projection service.
async fn ask(connection: &Connection, question: Question) -> anyhow::Result<Status> {
    match control::ask(connection, projection::NAME, &question).await? {
        Reply::Status(status) => Ok(status),
        Reply::Refused { reason } | Reply::Failed { reason } => anyhow::bail!(reason),
    }
}
