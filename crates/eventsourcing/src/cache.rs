//! Aggregates that were used lately, as they were then.

use std::{
    collections::{HashMap, HashSet},
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{Aggregate, AggregateId, CommandId, DecodeError, Head, RecordedEvent};

/// How many aggregates are kept.
const MAX_AGGREGATES: usize = 2048;
/// An aggregate that has seen more commands is not kept: their ids would take too much room.
const MAX_COMMANDS: usize = 10_000;

/// An aggregate after some event: its state, and every command that it has seen until then.
#[derive(Debug, Clone, Default)]
pub(crate) struct Root<A> {
    pub state: A,
    pub head: Head,
    pub commands: HashSet<CommandId>,
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

    /// Keeps the root of `id`.
    pub fn put(&self, id: AggregateId, root: Root<A>) {
        // One without an event is as quickly asked for again, and anybody can name any number of them.
        if root.commands.is_empty() || root.commands.len() > MAX_COMMANDS {
            return;
        }
        let mut generations = self.lock();
        if generations.young.len() >= MAX_AGGREGATES / 2 {
            generations.old = mem::take(&mut generations.young);
        }
        generations.young.insert(id, root);
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
        let commands = HashSet::from([CommandId::generate()]);
        let root = |state| Root { state, commands: commands.clone(), ..Root::default() };
        let id = |number: u128| AggregateId::from(uuid::Uuid::from_u128(number));
        cache.put(id(0), root(7));
        for number in 1..10_000 {
            // Used again and again, it stays.
            let used = cache.take(id(0)).expect("it is kept");
            cache.put(id(0), used);
            cache.put(id(number), root(0));
        }
        assert_eq!(cache.take(id(0)).map(|root| root.state), Some(7));
        cache.put(id(20_000), Root::default());
        assert!(cache.take(id(20_000)).is_none(), "nothing is known of it");
        let generations = cache.lock();
        assert!(generations.young.len() + generations.old.len() <= MAX_AGGREGATES);
    }
}
