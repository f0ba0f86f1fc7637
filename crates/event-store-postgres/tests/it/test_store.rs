//! A PostgreSQL store as a process has it, what is written to it, and who judges.

use event_store_postgres::{Database, Namespace, PostgresEventStore};
use eventsourcing::{
    AggregateId, CommandId, CorrelationId, EventId, EventStore, Fingerprint, Head, Metadata,
    NewEvent, StreamId,
};
use messaging::JetStreamEventStore;
use service_kit::Context;
use test_support::{NatsServer, eventually, ready, user};
use time::OffsetDateTime;

/// A store as a process of a service has it.
pub struct TestStore {
    pub store: PostgresEventStore,
    pub context: Context,
}

impl TestStore {
    /// Opens the database at `url` for a process that is the NATS user `user`.
    pub async fn open(nats: &NatsServer, url: &str, user: &str) -> Self {
        Self::open_in(Namespace::default_schema("toy"), nats, url, user).await
    }

    /// The same in a namespace.
    pub async fn open_in(namespace: Namespace, nats: &NatsServer, url: &str, user: &str) -> Self {
        let context = test_support::context();
        let connections = 4.try_into().expect("not zero");
        let database = Database::parse(url, namespace, connections).expect("a database");
        let target = JetStreamEventStore::new(nats.connect(user).await);
        let store = PostgresEventStore::open(database, target, &context).await;
        let store = store.expect("opened").expect("nobody stops it");
        ready(&context).await;
        Self { store, context }
    }

    /// Ends it as a process that is told to.
    pub async fn close(self) {
        self.store.close().await;
        self.context.lifecycle.finish().await.expect("an orderly end");
    }
}

pub fn toy() -> StreamId {
    StreamId::new("toy", CommandId::generate().creates("toy"))
}

pub fn event(version: u64, data: &str) -> NewEvent {
    let command = CommandId::generate();
    NewEvent {
        id: command.event_id(AggregateId::from(command.as_uuid()), 0),
        event_type: "toy.tested".to_owned(),
        schema_version: 1,
        version,
        time: OffsetDateTime::now_utc(),
        metadata: Metadata {
            correlation_id: CorrelationId::generate(),
            causation_id: command,
            fingerprint: Fingerprint::of("test", b""),
            user_id: user("ann"),
            traceparent: None,
        },
        data: data.as_bytes().to_vec(),
    }
}

/// Appends events as long as the last version is one to go on from, each until it is known to be stored, as the
/// executor does; tells their ids.
pub async fn write(
    store: &PostgresEventStore,
    stream: &StreamId,
    go_on: impl Fn(u64) -> bool,
) -> Vec<EventId> {
    let (mut head, mut ids) = (Head::default(), Vec::new());
    while go_on(head.version) {
        let event = event(head.version + 1, "{}");
        ids.push(event.id);
        head = eventually("an event to be stored", || async {
            if let Ok(head) = store.append(stream, head, vec![event.clone()].into()).await {
                return Some(head);
            }
            let stored = store.load(stream, Head::default()).await.ok()?;
            stored.last().map(Head::from).filter(|last| last.version == event.version)
        })
        .await;
    }
    ids
}

/// Compares what the database has, what the stream has and what was `written`, once and in order.
pub async fn judge(
    nats: &NatsServer,
    store: &PostgresEventStore,
    written: &[(StreamId, Vec<EventId>)],
) {
    let target = JetStreamEventStore::new(nats.connect("toy").await);
    let mut total = 0;
    for (stream, ids) in written {
        let published = target.load(stream, Head::default()).await.expect("loaded");
        let found: Vec<_> = published.iter().map(|event| event.event.id).collect();
        assert_eq!(&found, ids);
        let kept = store.load(stream, Head::default()).await.expect("loaded");
        assert_eq!(kept, published, "the same events at the same positions");
        total += ids.len() as u64;
    }
    assert_eq!(nats.events().await, total, "nothing twice");
}
