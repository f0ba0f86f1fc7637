use std::{collections::BTreeSet, process::ExitCode};

use indicatif::ProgressBar;
use messaging::{
    Connection,
    consumer::{self, RedriveError},
};
use service_kit::output;

use super::{chosen::Aggregate, progress};

/// What became of it so far.
#[derive(Default)]
struct Tally {
    /// How many dead letters are done.
    done: u64,
    /// How many aggregates still fail.
    failing: u64,
    /// How many were not tried.
    skipped: u64,
}

/// Aggregate by aggregate: order matters within one only.
pub(super) async fn redrive(
    connection: &Connection,
    aggregates: &BTreeSet<Aggregate>,
) -> anyhow::Result<ExitCode> {
    let progress = progress(aggregates.len(), "aggregates");
    let mut tally = Tally::default();
    // Sorted by consumer: all of one come behind each other.
    let mut silent = None;
    for (consumer, subject) in aggregates {
        if silent == Some(consumer) {
            tally.skipped += 1;
        } else if let Err(error) = one(connection, consumer, subject, &mut tally.done).await {
            tally.failing += 1;
            complain(&progress, &format!("{consumer} {subject}: {error}"));
            if error.is_silence() {
                silent = Some(consumer);
                complain(&progress, &format!("{consumer}: its other aggregates are passed over"));
            }
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    let Tally { done, failing, skipped } = tally;
    output::report(format_args!("{done} redriven, {failing} aggregates still fail"))?;
    if skipped > 0 {
        output::report(format_args!("{skipped} aggregates were not tried"))?;
    }
    Ok(if failing == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Why an aggregate is not done with.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// Its next dead letter still fails.
    #[error("{0}")]
    Still(String),
    /// The consumer did not say.
    #[error(transparent)]
    Unheard(#[from] RedriveError),
}

impl Failure {
    /// Whether the consumer did not answer at all, for which one waits a long time.
    fn is_silence(&self) -> bool {
        matches!(self, Self::Unheard(RedriveError::TimedOut(_)))
    }
}

/// All dead letters of one aggregate, as far as it goes.
async fn one(
    connection: &Connection,
    consumer: &str,
    subject: &str,
    done: &mut u64,
) -> Result<(), Failure> {
    loop {
        let redriven = consumer::redrive(connection, consumer, subject).await?;
        *done += redriven.done;
        match redriven.failure {
            Some(failure) => return Err(Failure::Still(failure)),
            None if redriven.done == 0 => return Ok(()),
            None => {}
        }
    }
}

fn complain(progress: &ProgressBar, text: &str) {
    progress.suspend(|| output::complain(text));
}
