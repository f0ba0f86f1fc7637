//! `newswire projection`: generations of read models.

mod follow;
mod print;

use std::{path::Path, process::ExitCode};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use messaging::{Connection, control};
use projection::{
    Named, READ_MODELS,
    control::{Question, Reply, Status},
};

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
    Status {
        /// The projection; all when absent
        name: Option<String>,
    },
    /// Fill a new generation beside the live one from the first event on, then switch to it
    Rebuild {
        /// The projection, such as articles
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
    Promote {
        /// The projection
        #[arg(default_value = READ_MODELS[0].name)]
        name: String,
    },
    /// Bring the previous generation up to date and switch back to it
    Rollback {
        /// The projection
        #[arg(default_value = READ_MODELS[0].name)]
        name: String,
    },
    /// Give the generation up that is being built; the live one stays
    Cancel {
        /// The projection
        #[arg(default_value = READ_MODELS[0].name)]
        name: String,
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
    match command {
        Command::Status { name } => {
            let named = name.as_deref().map(Desk::find).transpose()?;
            for desk in named.map_or_else(Desk::all, |named| vec![named]) {
                print::status(&desk.ask(connection, Question::Status {}).await?)?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Rebuild { name, hold, verify, detach } => {
            let (desk, name, hold, verify) = (Desk::find(name)?, name.clone(), *hold, *verify);
            let status = desk.ask(connection, Question::Rebuild { name, hold, verify }).await?;
            if *detach {
                print::status(&status)?;
                return Ok(ExitCode::SUCCESS);
            }
            follow::follow(connection, desk, status).await
        }
        Command::Promote { name } => {
            let desk = Desk::find(name)?;
            let status = desk.ask(connection, Question::Promote {}).await?;
            follow::follow(connection, desk, status).await
        }
        Command::Rollback { name } => {
            let desk = Desk::find(name)?;
            let status = desk.ask(connection, Question::Rollback {}).await?;
            follow::follow(connection, desk, status).await
        }
        Command::Cancel { name } => {
            let status = Desk::find(name)?.ask(connection, Question::Cancel {}).await?;
            print::status(&status)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Where a read model answers administrators.
#[derive(Debug, Clone, Copy)]
struct Desk(Named);

impl Desk {
    fn all() -> Vec<Self> {
        READ_MODELS.map(Self).to_vec()
    }

    fn find(name: &str) -> anyhow::Result<Self> {
        READ_MODELS.into_iter().find(|named| named.name == name).map(Self).with_context(|| {
            let names = READ_MODELS.map(|named| named.name).join(", ");
            format!("there is no projection {name}; there is {names}")
        })
    }

    async fn ask(self, connection: &Connection, question: Question) -> anyhow::Result<Status> {
        match control::ask(connection, self.0.consumer, &question).await? {
            Reply::Status(status) => Ok(status),
            Reply::Refused { reason } | Reply::Failed { reason } => anyhow::bail!(reason),
        }
    }
}
