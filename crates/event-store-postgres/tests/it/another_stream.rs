//! The stream below the database is another one, or lost its end: what was published is published again.

use std::{fs, path::Path, process::Command};

use eventsourcing::{EventId, EventStore, Head, StreamId};
use sqlx::{Connection, PgConnection};
use test_support::{NatsServer, PostgresServer, eventually, ready};

use crate::test_store::{TestStore, judge, toy, write};

type Written = Vec<(StreamId, Vec<EventId>)>;

async fn write_some(store: &TestStore, toys: usize) -> Written {
    let mut written = Vec::new();
    for _ in 0..toys {
        let stream = toy();
        let ids = write(&store.store, &stream, |version| version < 3).await;
        written.push((stream, ids));
    }
    written
}

/// Waits until the stream has everything that was `written`, and compares.
async fn judge_once_ready(nats: &NatsServer, store: &TestStore, written: &Written) {
    let total: usize = written.iter().map(|(_, ids)| ids.len()).sum();
    eventually("everything to be published again", || async {
        (nats.events().await >= total as u64).then_some(())
    })
    .await;
    ready(&store.context).await;
    judge(nats, &store.store, written).await;
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(copied.expect("cp runs").success());
}

#[tokio::test]
async fn a_stream_that_was_made_anew_below_a_running_store_gets_everything_again() {
    let (nats, postgres) = (NatsServer::provisioned().await, PostgresServer::start().await);
    let store = TestStore::open(&nats, &postgres.url(), "toy").await;
    let other = TestStore::open(&nats, &postgres.url(), "toy").await;
    let mut written = write_some(&store, 4).await;
    for _ in 0..2 {
        nats.exchange_streams().await;
        judge_once_ready(&nats, &store, &written).await;
        judge_once_ready(&nats, &other, &written).await;
        written.extend(write_some(&other, 1).await);
        judge(&nats, &store.store, &written).await;
    }
    other.close().await;
    store.close().await;
}

#[tokio::test]
async fn a_stream_that_went_back_gets_what_it_lost_again() {
    let (mut nats, postgres) = (NatsServer::provisioned().await, PostgresServer::start().await);
    let store = TestStore::open(&nats, &postgres.url(), "toy").await;
    let mut written = write_some(&store, 2).await;
    let (data, kept) = (nats.store_dir(), nats.store_dir().with_extension("kept"));
    nats.stop();
    copy(&data, &kept);
    nats.restart();
    written.extend(write_some(&store, 2).await);
    let before = store.store.load(&written[0].0, Head::default()).await.expect("loaded");
    let identity = nats.connect("toy").await.stream().known().await;

    nats.kill();
    fs::remove_dir_all(&data).expect("removed");
    fs::rename(&kept, &data).expect("put back");
    nats.restart();
    let connection = nats.connect("toy").await;
    judge_once_ready(&nats, &store, &written).await;
    let now = connection.stream().other_than(identity).await;
    assert!(now.has_origin_of(identity), "{identity} became {now}");
    // Whatever it still had is where it was.
    assert_eq!(store.store.load(&written[0].0, Head::default()).await.expect("loaded"), before);
    written.extend(write_some(&store, 1).await);
    judge(&nats, &store.store, &written).await;
    store.close().await;
}

/// As the release before this one leaves it.
async fn make_older(database: &mut PgConnection) {
    for statement in ["DROP TABLE relayed_to", "DELETE FROM _sqlx_migrations WHERE version = 2"] {
        sqlx::query(statement).execute(&mut *database).await.expect("executed");
    }
}

#[tokio::test]
async fn a_database_of_an_older_release_is_adopted_with_its_stream_and_no_other() {
    let (nats, postgres) = (NatsServer::provisioned().await, PostgresServer::start().await);
    let store = TestStore::open(&nats, &postgres.url(), "toy").await;
    let written = write_some(&store, 2).await;
    store.close().await;
    let mut database = PgConnection::connect(&postgres.url()).await.expect("connected");
    make_older(&mut database).await;
    let store = TestStore::open(&nats, &postgres.url(), "toy").await;
    judge(&nats, &store.store, &written).await;
    let again: i64 = sqlx::query_scalar("SELECT count(*) FROM relayed_to WHERE again_up_to > 0")
        .fetch_one(&mut database)
        .await
        .expect("counted");
    assert_eq!(again, 0, "nothing was published again");
    store.close().await;

    make_older(&mut database).await;
    let other = NatsServer::provisioned().await;
    let store = TestStore::open(&other, &postgres.url(), "toy").await;
    judge_once_ready(&other, &store, &written).await;
    store.close().await;
}
