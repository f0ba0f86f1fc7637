//! given / when / then for aggregates.
//!
//! ```text
//! given([created()]).when(&DeleteArticle { .. }, &alice()).then(|events| ..);
//! ```

use std::fmt::Debug;

use time::OffsetDateTime;
use uuid::Uuid;

use crate::{Actor, Aggregate, AggregateId, Decide, EventContext};

/// An aggregate with a past.
#[derive(Debug)]
pub struct Given<A> {
    state: A,
}

/// An aggregate's answer to a command.
#[derive(Debug)]
pub struct When<E, R> {
    decided: Result<Vec<E>, R>,
}

/// The aggregate after `events`, each a second after the one before, from the Unix epoch on.
pub fn given<A: Aggregate>(events: impl IntoIterator<Item = A::Event>) -> Given<A> {
    let mut state = A::default();
    for (index, event) in events.into_iter().enumerate() {
        let version = index as u64 + 1;
        let time = OffsetDateTime::UNIX_EPOCH + std::time::Duration::from_secs(version);
        state.apply(event, &EventContext { aggregate_id: aggregate_id(), version, time });
    }
    Given { state }
}

/// The id that [`given`] gives its aggregate.
#[must_use]
pub fn aggregate_id() -> AggregateId {
    AggregateId::from(Uuid::from_u128(1))
}

impl<A: Aggregate> Given<A> {
    /// `actor` sends `command`.
    pub fn when<C>(self, command: &C, actor: &Actor) -> When<A::Event, A::Refusal>
    where
        A: Decide<C>,
    {
        When { decided: self.state.decide(command, actor) }
    }

    /// The state itself.
    pub fn state(&self) -> &A {
        &self.state
    }
}

impl<E: Debug + PartialEq, R: Debug + PartialEq> When<E, R> {
    /// It is accepted with exactly `events`.
    ///
    /// # Panics
    /// It was refused, or the events differ.
    #[track_caller]
    pub fn then(self, events: impl IntoIterator<Item = E>) {
        let events: Vec<E> = events.into_iter().collect();
        assert_eq!(self.decided, Ok(events));
    }

    /// It is refused with exactly `refusal`.
    ///
    /// # Panics
    /// It was accepted, or the refusal differs.
    #[track_caller]
    pub fn then_refused(self, refusal: R) {
        assert_eq!(self.decided, Err(refusal));
    }
}
