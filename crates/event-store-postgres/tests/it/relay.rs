//! The relay, where a crash or the stream itself is in its way.

use eventsourcing::{AppendError, EventStore, Head};
use messaging::JetStreamEventStore;
use sqlx::{Connection, PgConnection};
use test_support::{NatsServer, PostgresServer};

use crate::test_store::{TestStore, event, judge, toy, write};

#[tokio::test]
async fn what_was_published_and_not_noted_is_not_published_again() {
    let (nats, postgres) = (NatsServer::provisioned().await, PostgresServer::start().await);
    let store = TestStore::open(&nats, &postgres.url(), "toy").await;
    let mut written = Vec::new();
    for _ in 0..4 {
        let stream = toy();
        let ids = write(&store.store, &stream, |version| version < 3).await;
        written.push((stream, ids));
    }
    let (first, _) = &written[0];
    let before = store.store.load(first, Head::default()).await.expect("loaded");
    store.close().await;
    // As if the relay had crashed before it noted anything, or the database had lost what it noted.
    let mut database = PgConnection::connect(&postgres.url()).await.expect("connected");
    for statement in [
        "UPDATE events SET position = NULL",
        "INSERT INTO outbox (context, aggregate_id, version) \
         SELECT context, aggregate_id, version FROM events ORDER BY version",
    ] {
        let done = sqlx::query(statement).execute(&mut database).await.expect("executed");
        assert_eq!(done.rows_affected(), 12);
    }
    let store = TestStore::open(&nats, &postgres.url(), "toy").await;
    judge(&nats, &store.store, &written).await;
    assert_eq!(store.store.load(first, Head::default()).await.expect("loaded"), before);
    // And on it goes.
    let head = Head::from(before.last().expect("three events"));
    let next = store.store.append(first, head, vec![event(4, "{}")].into()).await;
    assert_eq!(next.expect("appended").position, 13);
    let waiting: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox")
        .fetch_one(&mut database)
        .await
        .expect("counted");
    assert_eq!(waiting, 0);
    store.close().await;
}

#[tokio::test]
async fn an_aggregate_that_the_stream_contradicts_waits_and_holds_up_nobody() {
    let (nats, postgres) = (NatsServer::provisioned().await, PostgresServer::start().await);
    let store = TestStore::open(&nats, &postgres.url(), "toy").await;
    let stream = JetStreamEventStore::new(nats.connect("toy").await);
    let (wrong, right) = (toy(), toy());
    let foreign = vec![event(1, "{}")];
    stream.append(&wrong, Head::default(), foreign.into()).await.expect("appended");
    let ours = vec![event(1, "{}")];
    let (contradicted, ids) = tokio::join!(
        store.store.append(&wrong, Head::default(), ours.into()),
        write(&store.store, &right, |version| version < 10),
    );
    assert!(matches!(contradicted, Err(AppendError::Unknown(_))), "{contradicted:?}");
    assert_eq!(ids.len(), 10);
    assert_eq!(nats.events().await, 11, "the foreign one and the ten");
    store.close().await;
}
