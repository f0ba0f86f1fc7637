use std::sync::{Arc, atomic::Ordering};

use super::{Counter, accepted, add, counter, stores::Counting};
use crate::{Executor, MemoryEventStore, MemorySnapshotStore, SnapshotStore, StreamId};

#[tokio::test]
async fn a_snapshot_and_the_rest_are_as_good_as_all_events() {
    let (store, snapshots) =
        (Arc::new(Counting::default()), Arc::new(MemorySnapshotStore::default()));
    let writer = Executor::<Counter, _, _>::with_snapshots(store.clone(), snapshots.clone());
    let id = counter();
    let early = add(id, &[3]);
    accepted(writer.execute(&early).await);
    for _ in 0..70 {
        accepted(writer.execute(&add(id, &[1])).await);
    }
    assert_eq!(snapshots.streams().len(), 1);
    store.loaded.store(0, Ordering::Relaxed);
    let reader = Executor::<Counter, _, _>::with_snapshots(store.clone(), snapshots.clone());
    let outcome = accepted(reader.execute(&add(id, &[2])).await);
    assert_eq!((outcome.version, outcome.state.total), (72, 75));
    assert!(store.loaded.load(Ordering::Relaxed) < 64, "only what is missing is read");
    assert!(accepted(reader.execute(&early).await).repeated, "the snapshot remembers commands");
}

#[tokio::test]
async fn what_leaves_the_cache_leaves_a_snapshot() {
    let (store, snapshots) =
        (Arc::new(MemoryEventStore::default()), Arc::new(MemorySnapshotStore::default()));
    let executor = Executor::<Counter, _, _>::with_snapshots(store, snapshots.clone());
    let (one, other) = (counter(), counter());
    for id in [one, other, one] {
        accepted(executor.execute(&add(id, &[1])).await);
    }
    executor.retire();
    // The other has a single event, which is read as quickly.
    assert_eq!(snapshots.streams(), [StreamId::new("counter", one)]);
}

#[tokio::test]
async fn a_snapshot_that_does_not_fit_is_thrown_away() {
    let id = counter();
    let stream = StreamId::new("counter", id);
    let foreign = [
        // Of a state that today's code does not know, of another past, and no snapshot at all.
        r#"{"format":2,"schema":9,"version":1,"position":1,"time":null,"commands":[],"state":{"total":50}}"#,
        // Of before snapshots knew times, though it fits otherwise.
        r#"{"format":1,"schema":1,"version":2,"position":2,"commands":[],"state":{"total":50}}"#,
        r#"{"format":2,"schema":1,"version":7,"position":7,"time":null,"commands":[],"state":{"total":50}}"#,
        r#"{"format":2,"schema":1,"version":1,"position":2,"time":null,"commands":[],"state":{"total":50}}"#,
        "nonsense",
    ];
    for bytes in foreign {
        let snapshots = MemorySnapshotStore::default();
        snapshots.save(&stream, bytes.as_bytes().to_vec());
        let store = Arc::new(MemoryEventStore::default());
        let writer = Executor::<Counter, _>::new(store.clone());
        accepted(writer.execute(&add(id, &[1])).await);
        accepted(writer.execute(&add(id, &[1])).await);
        let reader = Executor::<Counter, _, _>::with_snapshots(store, snapshots);
        assert_eq!(accepted(reader.execute(&add(id, &[1])).await).state.total, 3, "{bytes}");
    }
}
