//! The dead letters that were chosen. There may be many, and large ones: a page is in memory.

use std::{collections::BTreeSet, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};
use messaging::consumer::{DeadLetter, DeadLetterBox, DeadLetterFilter};
use service_kit::output::OutputError;

/// An aggregate as a consumer has it: the consumer's name, and the subject of the events.
pub(super) type Aggregate = (String, String);

/// Shows each of the chosen ones to `see`, oldest first.
pub(super) async fn each(
    letters: &DeadLetterBox,
    filter: &DeadLetterFilter,
    mut see: impl FnMut(&DeadLetter) -> Result<(), OutputError>,
) -> anyhow::Result<()> {
    let (spinner, mut after) = (spinner(), 0);
    loop {
        let chosen = filter.page(letters, after).await?;
        spinner.inc(chosen.letters.len() as u64);
        spinner.suspend(|| chosen.letters.iter().try_for_each(&mut see))?;
        match chosen.next {
            Some(next) => after = next,
            None => break,
        }
    }
    spinner.finish_and_clear();
    Ok(())
}

/// The numbers of the chosen ones.
pub(super) async fn numbers(
    letters: &DeadLetterBox,
    filter: &DeadLetterFilter,
) -> anyhow::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    each(letters, filter, |letter| {
        numbers.push(letter.sequence);
        Ok(())
    })
    .await?;
    Ok(numbers)
}

/// The aggregates of the chosen ones.
pub(super) async fn aggregates(
    letters: &DeadLetterBox,
    filter: &DeadLetterFilter,
) -> anyhow::Result<BTreeSet<Aggregate>> {
    let mut aggregates = BTreeSet::new();
    each(letters, filter, |letter| {
        aggregates.insert((letter.consumer.clone(), letter.message.subject.clone()));
        Ok(())
    })
    .await?;
    Ok(aggregates)
}

/// Turns on a terminal; nothing elsewhere.
fn spinner() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {pos} dead letters chosen")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    let spinner = ProgressBar::new_spinner().with_style(style);
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}
