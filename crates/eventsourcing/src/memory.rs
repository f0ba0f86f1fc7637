//! The in-memory stores: for tests of pure code and as the reference for the others.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{
    AggregateId, AppendError, Claim, Commit, EventStore, Head, LoadError, RecordedEvent,
    SnapshotStore, StreamId,
};

/// Keeps every event of every aggregate in one list, as a stream does.
#[derive(Debug, Default)]
pub struct MemoryEventStore {
    contents: Mutex<Contents>,
}

#[derive(Debug, Default)]
struct Contents {
    log: Vec<RecordedEvent>,
    claims: HashMap<Claim, AggregateId>,
}

impl MemoryEventStore {
    /// All events, oldest first.
    #[must_use]
    pub fn all(&self) -> Vec<RecordedEvent> {
        self.lock().log.clone()
    }

    // A panic elsewhere cannot leave it half-changed: everything is checked before anything is changed.
    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EventStore for MemoryEventStore {
    async fn load(&self, stream: &StreamId, after: Head) -> Result<Vec<RecordedEvent>, LoadError> {
        let contents = self.lock();
        let is_known = |event: &RecordedEvent| Head::from(event) == after;
        if after != Head::default() && !of(&contents.log, stream).any(is_known) {
            return Err(LoadError::UnknownHead);
        }
        Ok(of(&contents.log, stream)
            .filter(|event| event.event.version > after.version)
            .cloned()
            .collect())
    }

    async fn append(
        &self,
        stream: &StreamId,
        expected: Head,
        commit: Commit,
    ) -> Result<Head, AppendError> {
        let mut contents = self.lock();
        let head = of(&contents.log, stream).last().map_or_else(Head::default, Head::from);
        if head.position != expected.position {
            return Err(AppendError::Conflict);
        }
        for claim in &commit.claims.take {
            match contents.claims.get(claim) {
                None => {}
                Some(owner) if *owner == stream.aggregate_id => return Err(AppendError::Conflict),
                Some(_) => return Err(AppendError::Claimed(claim.clone())),
            }
        }
        for claim in commit.claims.release {
            if contents.claims.get(&claim) == Some(&stream.aggregate_id) {
                contents.claims.remove(&claim);
            }
        }
        for claim in commit.claims.take {
            contents.claims.insert(claim, stream.aggregate_id);
        }
        for event in commit.events {
            let position = contents.log.len() as u64 + 1;
            contents.log.push(RecordedEvent {
                context: stream.context.to_string(),
                aggregate_id: stream.aggregate_id,
                position,
                event,
            });
        }
        Ok(of(&contents.log, stream).last().map_or(head, Head::from))
    }
}

fn of<'a>(log: &'a [RecordedEvent], stream: &StreamId) -> impl Iterator<Item = &'a RecordedEvent> {
    let (context, id) = (stream.context.to_string(), stream.aggregate_id);
    log.iter().filter(move |event| event.context == context && event.aggregate_id == id)
}

/// Keeps snapshots in a map.
#[derive(Debug, Default)]
pub struct MemorySnapshotStore {
    snapshots: Mutex<HashMap<StreamId, Vec<u8>>>,
}

impl MemorySnapshotStore {
    /// The aggregates that have one.
    #[must_use]
    pub fn streams(&self) -> Vec<StreamId> {
        self.lock().keys().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<StreamId, Vec<u8>>> {
        self.snapshots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SnapshotStore for MemorySnapshotStore {
    async fn load(&self, stream: &StreamId) -> Option<Vec<u8>> {
        self.lock().get(stream).cloned()
    }

    fn save(&self, stream: &StreamId, snapshot: Vec<u8>) {
        self.lock().insert(stream.clone(), snapshot);
    }
}
