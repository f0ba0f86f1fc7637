//! A history that is longer than a process has memory is had by pages, whichever store keeps it.

use eventsourcing::{EventStore, Head, StreamId};
use messaging::JetStreamEventStore;
use test_support::{NatsServer, PostgresServer};

use crate::test_store::{TestStore, event, toy};

const LENGTH: u64 = 12;

/// Nearly as large as an event can be.
fn large() -> String {
    format!("\"{}\"", "x".repeat(400 * 1024))
}

async fn pages_are_bounded<S: EventStore>(store: &S) {
    let (stream, data) = (toy(), large());
    let mut head = Head::default();
    for version in 1..=LENGTH {
        let event = event(version, &data);
        head = store.append(&stream, head, vec![event].into()).await.expect("stored");
    }
    assert_eq!(walk(store, &stream).await, (1..=LENGTH).collect::<Vec<_>>());
}

/// The versions, in order; no page has more than a megabyte and the event that goes beyond.
async fn walk<S: EventStore>(store: &S, stream: &StreamId) -> Vec<u64> {
    let (mut after, mut versions) = (Head::default(), Vec::new());
    loop {
        let page = store.page(stream, after).await.expect("a page");
        let Some(last) = page.last() else { return versions };
        after = Head::from(last);
        assert!(page.len() <= 3, "a page has {} events", page.len());
        versions.extend(page.iter().map(|event| event.event.version));
    }
}

#[tokio::test]
async fn pages_are_bounded_on_jetstream() {
    let nats = NatsServer::provisioned().await;
    pages_are_bounded(&JetStreamEventStore::new(nats.connect("toy").await)).await;
}

#[tokio::test]
async fn pages_are_bounded_on_postgres() {
    let (nats, postgres) = (NatsServer::provisioned().await, PostgresServer::start().await);
    let store = TestStore::open(&nats, &postgres.url(), "toy").await;
    pages_are_bounded(&store.store).await;
    store.close().await;
}
