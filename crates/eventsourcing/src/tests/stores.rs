//! Stores that answer badly, and one that counts.

use std::sync::{
    Arc,
    atomic::{AtomicU32, AtomicUsize, Ordering},
};

use super::{Counter, accepted, add, counter};
use crate::{
    AppendError, Commit, EventStore, ExecuteError, Executor, Head, LoadError, MemoryEventStore,
    RecordedEvent, StoreError, StreamId,
};

/// Stores what it is given, but the first answers get lost or say that another was first.
struct Flaky {
    inner: MemoryEventStore,
    appends: AtomicU32,
    lost_answers: u32,
    conflicts: u32,
}

impl EventStore for Flaky {
    async fn load(&self, stream: &StreamId, after: Head) -> Result<Vec<RecordedEvent>, LoadError> {
        self.inner.load(stream, after).await
    }

    async fn append(
        &self,
        stream: &StreamId,
        expected: Head,
        commit: Commit,
    ) -> Result<Head, AppendError> {
        let nth = self.appends.fetch_add(1, Ordering::Relaxed);
        if nth < self.conflicts {
            return Err(AppendError::Conflict);
        }
        let head = self.inner.append(stream, expected, commit).await?;
        if nth < self.conflicts + self.lost_answers {
            return Err(AppendError::Unknown(StoreError::new("waiting for the answer", "timeout")));
        }
        Ok(head)
    }
}

fn flaky(lost_answers: u32, conflicts: u32) -> Arc<Flaky> {
    let inner = MemoryEventStore::default();
    Arc::new(Flaky { inner, appends: AtomicU32::new(0), lost_answers, conflicts })
}

#[tokio::test]
async fn a_lost_answer_is_settled_by_reading_back() {
    let store = flaky(1, 0);
    let executor = Executor::<Counter, _>::new(store.clone());
    let outcome = accepted(executor.execute(&add(counter(), &[5])).await);
    assert_eq!((outcome.version, outcome.state.total), (1, 5));
    assert_eq!(store.inner.all().len(), 1);
}

#[tokio::test]
async fn a_conflict_is_decided_again_and_bounded() {
    let executor = Executor::<Counter, _>::new(flaky(0, 3));
    accepted(executor.execute(&add(counter(), &[5])).await);
    let executor = Executor::<Counter, _>::new(flaky(0, u32::MAX));
    let result = executor.execute(&add(counter(), &[5])).await;
    assert!(matches!(result, Err(ExecuteError::Contended)));
}

/// Counts what is asked of it.
#[derive(Default)]
pub(super) struct Counting {
    pub(super) inner: MemoryEventStore,
    pub(super) loads: AtomicU32,
    pub(super) loaded: AtomicUsize,
}

impl EventStore for Counting {
    async fn load(&self, stream: &StreamId, after: Head) -> Result<Vec<RecordedEvent>, LoadError> {
        self.loads.fetch_add(1, Ordering::Relaxed);
        let events = self.inner.load(stream, after).await?;
        self.loaded.fetch_add(events.len(), Ordering::Relaxed);
        Ok(events)
    }

    async fn append(
        &self,
        stream: &StreamId,
        expected: Head,
        commit: Commit,
    ) -> Result<Head, AppendError> {
        self.inner.append(stream, expected, commit).await
    }
}

#[tokio::test]
async fn a_known_aggregate_is_not_loaded_again() {
    let store = Arc::new(Counting::default());
    let executor = Executor::<Counter, _>::new(store.clone());
    let id = counter();
    for _ in 0..10 {
        accepted(executor.execute(&add(id, &[1])).await);
    }
    assert_eq!(store.loads.load(Ordering::Relaxed), 1);
}
