use eventsourcing::AggregateId;
use time::OffsetDateTime;

use super::{DeadLetter, DeadLetterBox, DeadLetterError};

/// Which dead letters: those that fit all that is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeadLetterFilter {
    /// Of this consumer; it must be [a token](crate::names::is_token).
    pub consumer: Option<String>,
    /// Of this aggregate.
    pub aggregate: Option<AggregateId>,
    /// Whose reason contains this text.
    pub reason: Option<String>,
    /// Given up on after this time.
    pub after: Option<OffsetDateTime>,
    /// Given up on before this time.
    pub before: Option<OffsetDateTime>,
}

/// The chosen ones of a page of dead letters.
#[derive(Debug)]
pub struct Chosen {
    /// Oldest first. None of a page may fit, and the next one have some.
    pub letters: Vec<DeadLetter>,
    /// Behind which sequence the next page begins; `None` at the end.
    pub next: Option<u64>,
}

impl DeadLetterFilter {
    /// Whether nothing is said, so that all fit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The chosen ones of the page behind the sequence `after`: a caller who is in a hurry stops after any. There is no
    /// way to have them all at once, as they need not fit.
    pub async fn page(
        &self,
        letters: &DeadLetterBox,
        after: u64,
    ) -> Result<Chosen, DeadLetterError> {
        let mut letters = letters.page_of(self.consumer.as_deref(), self.aggregate, after).await?;
        let next = letters.last().map(|last| last.sequence);
        letters.retain(|letter| self.fits(letter));
        Ok(Chosen { letters, next })
    }

    /// Consumer and aggregate are in the subject: the server has chosen by them.
    fn fits(&self, letter: &DeadLetter) -> bool {
        let after = |time| letter.time.is_some_and(|at| at > time);
        let before = |time| letter.time.is_some_and(|at| at < time);
        self.reason.as_deref().is_none_or(|text| letter.reason.contains(text))
            && self.after.is_none_or(after)
            && self.before.is_none_or(before)
    }
}
