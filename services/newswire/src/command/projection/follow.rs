use std::{process::ExitCode, time::Duration};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use messaging::Connection;
use projection::control::{GenerationStatus, Question, State, Status};

use super::{ask, print};

/// How often one looks.
const POLL: Duration = Duration::from_millis(500);

/// Follows the generation that is being built until it is live, held or has failed. Ending this command does not end the
/// rebuild.
pub(super) async fn follow(connection: &Connection, status: &Status) -> anyhow::Result<ExitCode> {
    let building = |status: &Status| {
        let mut generations = status.generations.iter();
        generations.find(|generation| generation.state == State::Building).cloned()
    };
    let Some(GenerationStatus { number, .. }) = building(status) else {
        // It was done before anybody could look.
        print::status(status);
        return Ok(ExitCode::SUCCESS);
    };
    let bar = bar();
    let mut status = status.clone();
    loop {
        let generation = find(&status, number).context("the generation is gone")?;
        bar.set_length(status.last_position);
        bar.set_position(generation.position.unwrap_or(0));
        let is_held = generation.held && is_caught_up(&generation, &status);
        if generation.state != State::Building || is_held {
            bar.finish_and_clear();
            println!("{}", print::line(&generation, &status));
            let is_good =
                generation.state == State::Live || (generation.held && generation.reason.is_none());
            return Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        tokio::time::sleep(POLL).await;
        // The service may restart meanwhile, and goes on with the rebuild.
        match ask(connection, Question::Status).await {
            Ok(new) => status = new,
            Err(error) => bar.set_message(error.to_string()),
        }
    }
}

fn find(status: &Status, number: i32) -> Option<GenerationStatus> {
    status.generations.iter().find(|generation| generation.number == number).cloned()
}

/// Whether it is as far as the live one.
fn is_caught_up(generation: &GenerationStatus, status: &Status) -> bool {
    let live = status.generations.iter().find(|generation| generation.state == State::Live);
    live.is_none_or(|live| generation.position >= live.position)
}

/// A bar on a terminal, nothing elsewhere.
fn bar() -> ProgressBar {
    let template = "{bar:40} {pos}/{len} positions {per_sec} {eta} {msg}";
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style)
}
