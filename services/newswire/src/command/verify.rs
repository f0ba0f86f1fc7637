//! `newswire verify`

use std::{path::Path, process::ExitCode};

use contracts::article::{self, ArticleEvent};
use eventsourcing::RecordedEvent;
use indicatif::{ProgressBar, ProgressStyle};
use messaging::{
    Connection,
    history::{Flaw, Walk},
};
use service_kit::output;

use super::{admin, block_on};

/// What to do when something is missing.
const CURE: &str = "what is missing can only come from a backup of the stream; README.md says how, under \"When the stream is damaged\"";

/// Reads the stream from the first position to the last, and says of each flaw where it is.
pub fn run(config: Option<&Path>) -> anyhow::Result<ExitCode> {
    block_on(async {
        let connection = admin::connect(config).await?;
        let verified = verify(&connection).await;
        connection.close().await;
        verified
    })
}

async fn verify(connection: &Connection) -> anyhow::Result<ExitCode> {
    let mut walk = Walk::begin(connection).await?;
    let (bar, mut flaws) = (bar(walk.last()), 0_u64);
    while let Some(found) = walk.step(check).await? {
        bar.set_position(walk.position());
        flaws += found.len() as u64;
        bar.suspend(|| found.iter().try_for_each(|flaw: &Flaw| output::report(flaw)))?;
    }
    bar.finish_and_clear();
    let (events, last) = (walk.events(), walk.last());
    output::report(format_args!("{events} events up to position {last}: {}", count(flaws)))?;
    if flaws == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    output::complain(CURE);
    Ok(ExitCode::FAILURE)
}

fn count(flaws: u64) -> String {
    match flaws {
        0 => "nothing is missing".to_owned(),
        1 => "1 flaw".to_owned(),
        flaws => format!("{flaws} flaws"),
    }
}

/// Why the data of `event` cannot be read, if it cannot. Contexts that are not known here are not looked into.
fn check(event: &RecordedEvent) -> Result<(), String> {
    if event.context != article::CONTEXT {
        return Ok(());
    }
    event.decode::<ArticleEvent>().map(drop).map_err(|error| error.to_string())
}

/// A bar on a terminal, nothing elsewhere.
fn bar(last: u64) -> ProgressBar {
    let template = "{bar:40} {pos}/{len} positions {per_sec} {eta}";
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(last).with_style(style)
}
