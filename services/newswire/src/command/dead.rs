//! `newswire dead`: what consumers gave up on.

mod choice;
mod print;

use std::{collections::BTreeSet, path::Path, process::ExitCode};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use messaging::{
    Connection,
    consumer::{self, DeadLetter, DeadLetterBox, DeadLetterFilter},
};

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
            choice.filter().all(&letters).await?.iter().for_each(print::line);
            Ok(ExitCode::SUCCESS)
        }
        Command::Show { number } => {
            let letter = letters.get(*number).await?;
            print::whole(&letter.with_context(|| format!("there is no dead letter {number}"))?);
            Ok(ExitCode::SUCCESS)
        }
        Command::Redrive { choice, scope } => {
            let chosen = choose(&letters, &choice.filter(), scope).await?;
            redrive(connection, &chosen, scope.dry_run).await
        }
        Command::Drop { choice, scope } => {
            let chosen = choose(&letters, &choice.filter(), scope).await?;
            drop_all(&letters, &chosen, scope.dry_run).await
        }
    }
}

async fn choose(
    letters: &DeadLetterBox,
    filter: &DeadLetterFilter,
    scope: &Scope,
) -> anyhow::Result<Vec<DeadLetter>> {
    if filter.is_empty() && !scope.all {
        bail!("choose by --consumer, --aggregate, --reason, --after or --before, or say --all");
    }
    Ok(filter.all(letters).await?)
}

/// Aggregate by aggregate: order matters within one only.
async fn redrive(
    connection: &Connection,
    chosen: &[DeadLetter],
    dry_run: bool,
) -> anyhow::Result<ExitCode> {
    let aggregates: BTreeSet<(&str, &str)> = chosen
        .iter()
        .map(|letter| (letter.consumer.as_str(), letter.message.subject.as_str()))
        .collect();
    if dry_run {
        for (consumer, subject) in &aggregates {
            println!("would redrive {consumer} {subject}");
        }
        return Ok(ExitCode::SUCCESS);
    }
    let progress = progress(aggregates.len(), "aggregates");
    let (mut done, mut failures) = (0, 0);
    for (consumer, subject) in aggregates {
        let redriven = consumer::redrive_all(connection, consumer, subject).await;
        done += redriven.done;
        if let Some(failure) = redriven.failure {
            failures += 1;
            progress.suspend(|| eprintln!("{consumer} {subject}: {failure}"));
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    println!("{done} redriven, {failures} aggregates still fail");
    Ok(if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn drop_all(
    letters: &DeadLetterBox,
    chosen: &[DeadLetter],
    dry_run: bool,
) -> anyhow::Result<ExitCode> {
    if dry_run {
        for letter in chosen {
            print!("would drop ");
            print::line(letter);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let progress = progress(chosen.len(), "dead letters");
    for letter in chosen {
        letters.remove(letter.sequence).await?;
        progress.inc(1);
    }
    progress.finish_and_clear();
    println!("{} dropped", chosen.len());
    Ok(ExitCode::SUCCESS)
}

/// A bar on a terminal, nothing elsewhere.
fn progress(length: usize, what: &'static str) -> ProgressBar {
    let template = "{bar:40} {pos}/{len} {msg} {per_sec} {eta}";
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length as u64).with_style(style).with_message(what)
}
