//! The store on PostgreSQL: what it promises, and what it does without its servers.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use event_store_postgres::{Database, Namespace, PostgresEventStore};
use eventsourcing::{AppendError, EventId, EventStore, Head, LoadError, StreamId, conformance};
use messaging::JetStreamEventStore;
use test_support::{NatsServer, PostgresServer, eventually, ready};
use tokio::task::JoinHandle;

use crate::test_store::{TestStore, event, judge, toy, write};

#[tokio::test]
async fn the_postgres_store_conforms() {
    let (nats, postgres) = (NatsServer::provisioned().await, PostgresServer::start().await);
    // As the admin: the suite's context is nobody's.
    let store = TestStore::open(&nats, &postgres.url(), "admin").await;
    Box::pin(conformance::run(&store.store)).await;
    store.close().await;
}

#[tokio::test]
async fn two_processes_on_one_database_publish_everything_once_and_in_order() {
    let (nats, postgres) = (NatsServer::provisioned().await, PostgresServer::start().await);
    let one = TestStore::open(&nats, &postgres.url(), "toy").await;
    let other = TestStore::open(&nats, &postgres.url(), "toy").await;
    let writes = (0..24).map(|number| {
        let store = if number % 2 == 0 { &one.store } else { &other.store };
        async move {
            let stream = toy();
            let ids = write(store, &stream, |version| version < 10).await;
            (stream, ids)
        }
    });
    let written = futures_util::future::join_all(writes).await;
    judge(&nats, &other.store, &written).await;
    // The other one takes over.
    one.close().await;
    let stream = toy();
    let ids = write(&other.store, &stream, |version| version < 1).await;
    judge(&nats, &other.store, &[written, vec![(stream, ids)]].concat()).await;
    other.close().await;
}

#[tokio::test]
async fn a_killed_nats_server_loses_nothing_and_doubles_nothing() {
    let (mut nats, postgres) = (NatsServer::provisioned().await, PostgresServer::start().await);
    let store = TestStore::open(&nats, &postgres.url(), "toy").await;
    let writers = Writers::start(&store.store);
    for _ in 0..2 {
        writers.progress(&store.store).await;
        nats.kill();
        nats.restart();
    }
    writers.progress(&store.store).await;
    judge(&nats, &store.store, &writers.finish().await).await;
    store.close().await;
}

#[tokio::test]
async fn a_killed_database_loses_nothing_and_doubles_nothing() {
    let (nats, mut postgres) = (NatsServer::provisioned().await, PostgresServer::start().await);
    let store = TestStore::open(&nats, &postgres.url(), "toy").await;
    let writers = Writers::start(&store.store);
    for _ in 0..2 {
        writers.progress(&store.store).await;
        postgres.kill().await;
        eventually("the process to be unready", || async {
            (!store.context.health.is_ready()).then_some(())
        })
        .await;
        postgres.restart().await;
        ready(&store.context).await;
    }
    writers.progress(&store.store).await;
    judge(&nats, &store.store, &writers.finish().await).await;
    store.close().await;
}

/// Append to a toy each until they are told to stop.
struct Writers {
    stop: Arc<AtomicBool>,
    tasks: Vec<(StreamId, JoinHandle<Vec<EventId>>)>,
}

impl Writers {
    fn start(store: &PostgresEventStore) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let start = |stream: StreamId| {
            let (store, of, stop) = (store.clone(), stream.clone(), stop.clone());
            let go_on = move |_| !stop.load(Ordering::Relaxed);
            (stream, tokio::spawn(async move { write(&store, &of, go_on).await }))
        };
        let tasks = (0..8).map(|_| start(toy())).collect();
        Self { stop, tasks }
    }

    /// Waits until the first is further than it is now.
    async fn progress(&self, store: &PostgresEventStore) {
        let version = || async {
            let events = store.load(&self.tasks[0].0, Head::default()).await.ok()?;
            Some(events.len())
        };
        let before = eventually("the events to be read", version).await;
        eventually("a few more events", || async {
            version().await.filter(|now| *now > before + 5).map(|_| ())
        })
        .await;
    }

    async fn finish(self) -> Vec<(StreamId, Vec<EventId>)> {
        self.stop.store(true, Ordering::Relaxed);
        let mut written = Vec::new();
        for (stream, task) in self.tasks {
            written.push((stream, task.await.expect("no panic")));
        }
        written
    }
}

#[tokio::test]
async fn without_the_stream_nobody_is_told_that_an_event_is_stored() {
    let (mut nats, postgres) = (NatsServer::provisioned().await, PostgresServer::start().await);
    let store = TestStore::open(&nats, &postgres.url(), "toy").await;
    nats.kill();
    let (stream, event) = (toy(), event(1, "{}"));
    let id = event.id;
    let appended = store.store.append(&stream, Head::default(), vec![event].into()).await;
    assert!(matches!(appended, Err(AppendError::Unknown(_))), "{appended:?}");
    let loaded = store.store.load(&stream, Head::default()).await;
    assert!(matches!(loaded, Err(LoadError::Failed(_))), "{loaded:?}");
    nats.restart();
    eventually("the event to be published", || async {
        store.store.load(&stream, Head::default()).await.ok()
    })
    .await;
    judge(&nats, &store.store, &[(stream, vec![id])]).await;
    store.close().await;
}

#[tokio::test]
async fn an_event_that_is_too_large_for_the_stream_is_not_taken() {
    let (nats, postgres) = (NatsServer::provisioned().await, PostgresServer::start().await);
    let store = TestStore::open(&nats, &postgres.url(), "toy").await;
    let stream = toy();
    let large = event(1, &"x".repeat(490 * 1024));
    let appended = store.store.append(&stream, Head::default(), vec![large].into()).await;
    assert!(matches!(appended, Err(AppendError::Failed(_))), "{appended:?}");
    let fits = event(1, &"x".repeat(480 * 1024));
    let id = fits.id;
    store.store.append(&stream, Head::default(), vec![fits].into()).await.expect("appended");
    judge(&nats, &store.store, &[(stream, vec![id])]).await;
    store.close().await;
}

#[tokio::test]
async fn a_wrong_password_is_told_at_the_start_and_not_repeated() {
    let (nats, postgres) = (NatsServer::provisioned().await, PostgresServer::start().await);
    let context = test_support::context();
    let url = postgres.url().replacen(":newswire@", ":hunter2@", 1);
    let database =
        Database::parse(&url, Namespace::default_schema("toy"), 1.try_into().expect("not zero"));
    let database = database.expect("a database");
    assert!(!format!("{database:?}").contains("hunter2"));
    let target = JetStreamEventStore::new(nats.connect("toy").await);
    let opened = PostgresEventStore::open(database, target, &context).await;
    let error = format!("{:?}", opened.expect_err("refused"));
    assert!(error.contains("toy.database") && error.contains("password"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}

#[tokio::test]
async fn a_database_that_is_not_there_yet_is_waited_for() {
    let (nats, mut postgres) = (NatsServer::provisioned().await, PostgresServer::start().await);
    let url = postgres.url();
    postgres.kill().await;
    let (store, ()) = tokio::join!(TestStore::open(&nats, &url, "toy"), postgres.restart());
    store.close().await;
}
