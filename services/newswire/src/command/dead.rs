//! `newswire dead`: what consumers gave up on.

mod choice;
mod chosen;
mod print;
mod redrive;

use std::{path::Path, process::ExitCode};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use messaging::{
    Connection,
    consumer::{DeadLetterBox, DeadLetterFilter},
};

use service_kit::output;

use self::choice::Choice;
use super::{admin, block_on};

/// What to do.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List dead letters, oldest first: number, time, consumer, position, type, subject, reason
    List(Choice),
    /// Print one dead letter, headers and body
    Show {
        /// Its number
        number: u64,
    },
    /// Have the consumers try the chosen ones again, with what is parked behind them, in order
    Redrive {
        #[command(flatten)]
        choice: Choice,
        #[command(flatten)]
        scope: Scope,
    },
    /// Throw the chosen ones away, for good
    Drop {
        #[command(flatten)]
        choice: Choice,
        #[command(flatten)]
        scope: Scope,
    },
}

#[derive(Debug, Args)]
struct Scope {
    /// All of them; otherwise at least one choice must be made
    #[arg(long)]
    all: bool,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
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
    let letters = DeadLetterBox::new(connection.clone());
    match command {
        Command::List(choice) => {
            chosen::each(&letters, &choice.filter(), |letter| output::line(print::line(letter)))
                .await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Show { number } => {
            let letter = letters.get(*number).await?;
            let letter = letter.with_context(|| format!("there is no dead letter {number}"))?;
            output::line(print::whole(&letter)?)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Redrive { choice, scope } => {
            let aggregates = chosen::aggregates(&letters, &scope.filter(choice)?).await?;
            if !scope.dry_run {
                return redrive::redrive(connection, &aggregates).await;
            }
            for (consumer, subject) in &aggregates {
                output::line(format_args!("would redrive {consumer} {subject}"))?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Drop { choice, scope } => {
            let filter = scope.filter(choice)?;
            if !scope.dry_run {
                return drop_all(&letters, &chosen::numbers(&letters, &filter).await?).await;
            }
            chosen::each(&letters, &filter, |letter| {
                output::line(format_args!("would drop {}", print::line(letter)))
            })
            .await?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

impl Scope {
    /// What `choice` says, if it says anything.
    fn filter(&self, choice: &Choice) -> anyhow::Result<DeadLetterFilter> {
        let filter = choice.filter();
        if filter.is_empty() && !self.all {
            bail!("choose by --consumer, --aggregate, --reason, --after or --before, or say --all");
        }
        Ok(filter)
    }
}

async fn drop_all(letters: &DeadLetterBox, numbers: &[u64]) -> anyhow::Result<ExitCode> {
    let progress = progress(numbers.len(), "dead letters");
    for number in numbers {
        letters.remove(*number).await?;
        progress.inc(1);
    }
    progress.finish_and_clear();
    output::report(format_args!("{} dropped", numbers.len()))?;
    Ok(ExitCode::SUCCESS)
}

/// A bar on a terminal, nothing elsewhere.
fn progress(length: usize, what: &'static str) -> ProgressBar {
    let template = "{bar:40} {pos}/{len} {msg} {per_sec} {eta}";
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length as u64).with_style(style).with_message(what)
}
