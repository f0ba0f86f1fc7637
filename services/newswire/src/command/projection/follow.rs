#[cfg(test)]
mod tests;

use std::{process::ExitCode, time::Duration};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use messaging::Connection;
use projection::control::{GenerationStatus, Question, State, Status};
use service_kit::output;
use tokio::time::Instant;

use super::{Desk, print};

/// How often one looks.
const POLL: Duration = Duration::from_millis(500);
/// How long the service may say nothing: it may restart meanwhile, and goes on with the rebuild.
const PATIENCE: Duration = Duration::from_secs(30);

/// Follows the generation that is being built until it is live, held or has failed. Ending this command does not end the
/// rebuild.
pub(super) async fn follow(
    connection: &Connection,
    desk: Desk,
    status: Status,
) -> anyhow::Result<ExitCode> {
    let is_built = |generation: &&GenerationStatus| generation.state == State::Building;
    let Some(number) = status.generations.iter().find(is_built).map(|built| built.number) else {
        // It was done before anybody could look.
        print::status(&status)?;
        return Ok(ExitCode::SUCCESS);
    };
    let last = watch(number, status, || desk.ask(connection, Question::Status {})).await?;
    let generation = find(&last, number)?;
    output::report(print::line(generation, &last))?;
    let is_good =
        generation.state == State::Live || (generation.held && generation.reason.is_none());
    if is_good {
        return Ok(ExitCode::SUCCESS);
    }
    let (word, reason) = (print::word(generation), generation.reason.as_deref());
    let reason = reason.unwrap_or("nobody says why");
    output::complain(format_args!("generation {number} is {word}: {reason}"));
    Ok(ExitCode::FAILURE)
}

/// Asks again and again until nothing more will happen to the generation `number` by itself; tells how things are then.
async fn watch<F>(number: i32, mut status: Status, ask: impl Fn() -> F) -> anyhow::Result<Status>
where
    F: Future<Output = anyhow::Result<Status>>,
{
    let bar = bar();
    let goal = live_position(&status);
    let mut heard = Instant::now();
    loop {
        let generation = find(&status, number)?;
        bar.set_length(status.last_position);
        bar.set_position(generation.position.unwrap_or(0));
        if is_done(generation, goal) {
            bar.finish_and_clear();
            return Ok(status);
        }
        tokio::time::sleep(POLL).await;
        match ask().await {
            Ok(new) => {
                (status, heard) = (new, Instant::now());
                bar.set_message("");
            }
            Err(error) if heard.elapsed() >= PATIENCE => {
                bar.finish_and_clear();
                let seconds = PATIENCE.as_secs();
                let what = format!("no word of generation {number} for {seconds} s, it may go on");
                return Err(error.context(what));
            }
            Err(error) => complain(&bar, &error),
        }
    }
}

/// Says it on a terminal as long as it lasts, and elsewhere once.
fn complain(bar: &ProgressBar, error: &anyhow::Error) {
    if bar.message().is_empty() && bar.is_hidden() {
        output::complain(format_args!("{error:#}; asking again"));
    }
    bar.set_message(error.to_string());
}

/// Whether somebody has to do something now, or nobody any more. One that is held from the start goes on until it has
/// `goal`: the live one is always a little ahead.
fn is_done(generation: &GenerationStatus, goal: Option<u64>) -> bool {
    let waits = generation.reason.is_some() || generation.position >= goal;
    generation.state != State::Building || (generation.held && waits)
}

fn find(status: &Status, number: i32) -> anyhow::Result<&GenerationStatus> {
    let mut generations = status.generations.iter();
    generations.find(|generation| generation.number == number).context("the generation is gone")
}

/// How far the live generation is.
fn live_position(status: &Status) -> Option<u64> {
    let mut generations = status.generations.iter();
    generations.find(|generation| generation.state == State::Live)?.position
}

/// A bar on a terminal, nothing elsewhere.
fn bar() -> ProgressBar {
    let template = "{bar:40} {pos}/{len} positions {per_sec} {eta} {msg}";
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style)
}
