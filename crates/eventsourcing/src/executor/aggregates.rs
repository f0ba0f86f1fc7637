//! Where an executor's aggregates come from, and where they are kept.

use crate::{
    Aggregate, AggregateId, DecodeError, EventStore, ExecuteError, Executor, Head, LoadError,
    RecordedEvent, SnapshotStore, StoreError, StreamId, cache::Root, snapshot,
};

/// An aggregate in use gets a snapshot every so many events, so that little is to be read after a crash.
const SNAPSHOT_EVERY: u64 = 64;

impl<A: Aggregate, S: EventStore, P: SnapshotStore> Executor<A, S, P> {
    /// Brings `root` up to what the store has; what does not fit the store is forgotten, whoever said so.
    pub(super) async fn catch_up(
        &self,
        stream: &StreamId,
        root: &mut Root<A>,
    ) -> Result<(), ExecuteError> {
        if root.head == Head::default()
            && let Some(bytes) = self.snapshots.load(stream).await
            && let Some(snapshot) = snapshot::read(&bytes)
        {
            *root = snapshot;
        }
        if root.head != Head::default() {
            match self.store.load(stream, root.head).await {
                Ok(events) => match root.catch_up(&events) {
                    Err(DecodeError::Gap { .. }) => {}
                    caught_up => return Ok(caught_up?),
                },
                Err(LoadError::UnknownHead) => {}
                Err(LoadError::Failed(error)) => return Err(ExecuteError::Unavailable(error)),
            }
        }
        *root = Root::default();
        root.catch_up(&self.history(stream).await?)?;
        Ok(())
    }

    /// Every event of `stream`.
    pub(super) async fn history(
        &self,
        stream: &StreamId,
    ) -> Result<Vec<RecordedEvent>, ExecuteError> {
        self.store.load(stream, Head::default()).await.map_err(|error| match error {
            LoadError::Failed(error) => ExecuteError::Unavailable(error),
            LoadError::UnknownHead => {
                ExecuteError::Unavailable(StoreError::new("reading all events", error))
            }
        })
    }

    /// Keeps `root` for the next command.
    pub(super) fn keep(&self, id: AggregateId, mut root: Root<A>) {
        if root.head.version >= root.snapshot_version + SNAPSHOT_EVERY {
            self.save(id, &root);
            root.snapshot_version = root.head.version;
        }
        for (id, root) in self.cache.put(id, root) {
            self.save_if_worth_it(id, &root);
        }
    }

    /// A single event is read as quickly as a snapshot.
    pub(super) fn save_if_worth_it(&self, id: AggregateId, root: &Root<A>) {
        if root.head.version > root.snapshot_version.max(1) {
            self.save(id, root);
        }
    }

    fn save(&self, id: AggregateId, root: &Root<A>) {
        // A state that cannot be written is read from its events.
        if let Ok(bytes) = snapshot::write(root) {
            self.snapshots.save(&StreamId::new(A::CONTEXT, id), bytes);
        }
    }
}
