//! Aggregates that were used lately, as they were then.

use std::{
    collections::HashMap,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use time::OffsetDateTime;

use crate::{Aggregate, AggregateId, DecodeError, Head, RecordedEvent, command_log::CommandLog};

/// How many aggregates are kept.
const MAX_AGGREGATES: usize = 2048;

/// An aggregate after some event: its state, and the commands that it has seen until then.
#[derive(Debug, Clone, Default)]
pub(crate) struct Root<A> {
    pub state: A,
    pub head: Head,
    /// The latest time of its events. Whatever a clock does, no event is decided before it.
    pub time: Option<OffsetDateTime>,
    pub commands: CommandLog,
    /// The version of its last snapshot; 0 when there is none.
    pub snapshot_version: u64,
}

impl<A: Aggregate> Root<A> {
    /// Takes in events that follow.
    pub fn catch_up(&mut self, events: &[RecordedEvent]) -> Result<(), DecodeError> {
        for event in events {
            if event.event.version != self.head.version + 1 {
                let (after, found) = (self.head.version, event.event.version);
                return Err(DecodeError::Gap { after, found });
            }
            self.state.apply(event.decode()?, &event.context());
            self.head = Head::from(event);
            self.time = self.time.max(Some(event.event.time));
            self.commands.insert(event.event.metadata.causation_id);
        }
        Ok(())
    }
}

/// Keeps roots, the ones used lately rather than others.
///
/// Whoever uses one takes it out and puts it back with its events stored: one that is lost in between, or used
/// twice at once, is simply loaded again.
#[derive(Debug)]
pub(crate) struct Cache<A> {
    generations: Mutex<Generations<A>>,
}

/// Two halves: when the young one is full it becomes the old one, and what was old is forgotten.
#[derive(Debug)]
struct Generations<A> {
    young: HashMap<AggregateId, Root<A>>,
    old: HashMap<AggregateId, Root<A>>,
}

impl<A> Cache<A> {
    pub fn new() -> Self {
        let generations = Generations { young: HashMap::new(), old: HashMap::new() };
        Self { generations: Mutex::new(generations) }
    }

    /// Takes the root of `id` out, if it is there.
    pub fn take(&self, id: AggregateId) -> Option<Root<A>> {
        let mut generations = self.lock();
        generations.young.remove(&id).or_else(|| generations.old.remove(&id))
    }

    /// Keeps the root of `id`; gives back those that are forgotten for it.
    pub fn put(&self, id: AggregateId, root: Root<A>) -> HashMap<AggregateId, Root<A>> {
        // One without an event is as quickly asked for again, and anybody can name any number of them.
        if root.head.version == 0 {
            return HashMap::new();
        }
        let mut generations = self.lock();
        let mut forgotten = HashMap::new();
        if generations.young.len() >= MAX_AGGREGATES / 2 {
            let young = mem::take(&mut generations.young);
            forgotten = mem::replace(&mut generations.old, young);
        }
        generations.young.insert(id, root);
        forgotten
    }

    /// Gives back all that is there.
    pub fn clear(&self) -> impl Iterator<Item = (AggregateId, Root<A>)> + use<A> {
        let mut generations = self.lock();
        let (young, old) = (mem::take(&mut generations.young), mem::take(&mut generations.old));
        young.into_iter().chain(old)
    }

    // Nothing panics while the lock is held.
    fn lock(&self) -> MutexGuard<'_, Generations<A>> {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_lately_is_kept_and_the_number_is_bounded() {
        let cache = Cache::<u32>::new();
        let root =
            |state| Root { state, head: Head { version: 1, position: 1 }, ..Root::default() };
        let id = |number: u128| AggregateId::from(uuid::Uuid::from_u128(number));
        cache.put(id(0), root(7));
        let mut forgotten = 0;
        for number in 1..10_000 {
            // Used again and again, it stays.
            let used = cache.take(id(0)).expect("it is kept");
            cache.put(id(0), used);
            forgotten += cache.put(id(number), root(0)).len();
        }
        assert_eq!(cache.take(id(0)).map(|root| root.state), Some(7));
        cache.put(id(20_000), Root::default());
        assert!(cache.take(id(20_000)).is_none(), "nothing is known of it");
        let kept = cache.clear().count();
        assert!(kept <= MAX_AGGREGATES);
        assert!(kept + forgotten > 9_000, "{kept} are kept, {forgotten} were given back");
    }
}
