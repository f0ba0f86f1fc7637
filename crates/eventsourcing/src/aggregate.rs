//! The domain's side of the core: pure, synchronous, without clock or randomness.
//!
//! The split into deciding and applying is Chassaing's decider
//! (<https://thinkbeforecoding.com/post/2021/12/17/functional-event-sourcing-decider>).

use serde::{Serialize, de::DeserializeOwned};
use time::OffsetDateTime;

use crate::{Actor, AggregateId, Claim, EventData, Refusal};

/// State that is nothing but the fold of its events.
///
/// `Default` is the state before the first event.
pub trait Aggregate:
    Default + Clone + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// The context that owns it, and the second token of its subjects: `article`.
    const CONTEXT: &'static str;
    /// Names what the state looks like and how events become it. One more with every change of either: snapshots
    /// under another number are thrown away.
    const STATE_SCHEMA: u32;

    /// Every fact about it.
    type Event: EventData;

    /// Takes one fact in. It cannot fail: a fact has happened.
    fn apply(&mut self, event: Self::Event, context: &EventContext);

    /// The values that it holds in this state and no other aggregate may hold at the same time.
    ///
    /// A command that changes them costs an atomic batch; one that does not costs nothing more.
    fn claims(&self) -> Vec<Claim> {
        Vec::new()
    }
}

/// How an aggregate answers the command `C`. One implementation a file.
pub trait Decide<C>: Aggregate {
    /// The rules that can say no.
    type Refusal: Into<Refusal>;

    /// The events that `command` means in this state, or the rule that forbids it.
    fn decide(&self, command: &C, actor: &Actor) -> Result<Vec<Self::Event>, Self::Refusal>;
}

/// What an event says about itself beside its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventContext {
    /// The aggregate it belongs to.
    pub aggregate_id: AggregateId,
    /// Its number within the aggregate: 1, 2, 3 …
    pub version: u64,
    /// When it was decided.
    pub time: OffsetDateTime,
}
