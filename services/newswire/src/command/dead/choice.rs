use clap::Args;
use eventsourcing::AggregateId;
use messaging::consumer::{DeadLetter, DeadLetterBox};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Which dead letters: those that fit all that is said.
#[derive(Debug, Args)]
pub struct Choice {
    /// Of this consumer, such as notification
    #[arg(long, value_name = "NAME")]
    consumer: Option<String>,
    /// Of this aggregate
    #[arg(long, value_name = "ID")]
    aggregate: Option<AggregateId>,
    /// Whose reason contains this text
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Given up on after this time (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = time)]
    after: Option<OffsetDateTime>,
    /// Given up on before this time (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = time)]
    before: Option<OffsetDateTime>,
}

fn time(text: &str) -> Result<OffsetDateTime, String> {
    OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|_| "a time such as 2026-01-31T12:00:00Z was expected".to_owned())
}

impl Choice {
    /// Whether nothing is said.
    pub(super) fn is_empty(&self) -> bool {
        let Self { consumer, aggregate, reason, after, before } = self;
        consumer.is_none()
            && aggregate.is_none()
            && reason.is_none()
            && after.is_none()
            && before.is_none()
    }

    /// The chosen ones, oldest first.
    pub(super) async fn read(&self, letters: &DeadLetterBox) -> anyhow::Result<Vec<DeadLetter>> {
        let (mut chosen, mut last) = (Vec::new(), 0);
        loop {
            let page = letters.page(self.consumer.as_deref(), last).await?;
            let Some(end) = page.last() else { return Ok(chosen) };
            last = end.sequence;
            chosen.extend(page.into_iter().filter(|letter| self.fits(letter)));
        }
    }

    fn fits(&self, letter: &DeadLetter) -> bool {
        let after = |time| letter.time.is_some_and(|at| at > time);
        let before = |time| letter.time.is_some_and(|at| at < time);
        self.aggregate.is_none_or(|id| letter.aggregate_id() == Some(id))
            && self.reason.as_deref().is_none_or(|text| letter.reason.contains(text))
            && self.after.is_none_or(after)
            && self.before.is_none_or(before)
    }
}
