//! The in-memory event store: for tests of pure code and as the reference for the others.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{AppendError, EventStore, Head, NewEvent, RecordedEvent, StoreError, StreamId};

/// Keeps every event of every aggregate in one list, as a stream does.
#[derive(Debug, Default)]
pub struct MemoryEventStore {
    log: Mutex<Vec<RecordedEvent>>,
}

impl MemoryEventStore {
    /// All events, oldest first.
    #[must_use]
    pub fn all(&self) -> Vec<RecordedEvent> {
        self.lock().clone()
    }

    // A panic elsewhere cannot leave the list half-changed: it is only ever extended by whole batches.
    fn lock(&self) -> MutexGuard<'_, Vec<RecordedEvent>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EventStore for MemoryEventStore {
    async fn load(&self, stream: &StreamId, after: Head) -> Result<Vec<RecordedEvent>, StoreError> {
        Ok(of(&self.lock(), stream)
            .filter(|event| event.event.version > after.version)
            .cloned()
            .collect())
    }

    async fn append(
        &self,
        stream: &StreamId,
        expected: Head,
        events: Vec<NewEvent>,
    ) -> Result<Head, AppendError> {
        let mut log = self.lock();
        let head = of(&log, stream).last().map_or_else(Head::default, Head::from);
        if head.position != expected.position {
            return Err(AppendError::Conflict);
        }
        for event in events {
            let position = log.len() as u64 + 1;
            log.push(RecordedEvent {
                context: stream.context.to_string(),
                aggregate_id: stream.aggregate_id,
                position,
                event,
            });
        }
        Ok(of(&log, stream).last().map_or(head, Head::from))
    }
}

fn of<'a>(log: &'a [RecordedEvent], stream: &StreamId) -> impl Iterator<Item = &'a RecordedEvent> {
    let (context, id) = (stream.context.to_string(), stream.aggregate_id);
    log.iter().filter(move |event| event.context == context && event.aggregate_id == id)
}
