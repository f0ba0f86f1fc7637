use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use contracts::article::ArticleEvent;
use eventsourcing::RecordedEvent;
use futures_util::TryStreamExt;
use messaging::{
    Mark,
    consumer::{ConsumerError, Projector, Rejected, measure_lag, run_projector},
};
use test_support::{ArticleWriter, NatsServer, eventually, metric};
use tokio_util::sync::CancellationToken;

/// Tables in memory: the positions that were applied, and the position.
#[derive(Default)]
struct Tables {
    committed: Mutex<(Vec<u64>, u64)>,
}

struct InMemory(Arc<Tables>);

impl Projector for InMemory {
    const NAME: &'static str = "projection";
    type Changes = Vec<u64>;
    type Error = Infallible;

    async fn position(&self) -> Result<u64, Infallible> {
        Ok(self.0.committed.lock().expect("unpoisoned").1)
    }

    async fn fold(
        &self,
        events: &[RecordedEvent],
        _: &[Rejected],
    ) -> Result<(Vec<u64>, Vec<Rejected>), Infallible> {
        let is_known = |event: &&RecordedEvent| event.decode::<ArticleEvent>().is_ok();
        let (known, unknown): (Vec<_>, Vec<_>) = events.iter().partition(is_known);
        let rejected = |event: &RecordedEvent| Rejected {
            position: event.position,
            subject: format!("events.article.{}", event.aggregate_id),
            reason: "unknown version".to_owned(),
        };
        Ok((
            known.iter().map(|event| event.position).collect(),
            unknown.into_iter().map(rejected).collect(),
        ))
    }

    async fn commit(&self, rows: Vec<u64>, from: u64, to: Mark) -> Result<bool, Infallible> {
        let mut committed = self.0.committed.lock().expect("unpoisoned");
        if committed.1 != from {
            return Ok(false);
        }
        committed.0.extend(rows);
        committed.1 = to.position;
        Ok(true)
    }
}

struct Running {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<Result<(), ConsumerError>>,
}

async fn run(server: &NatsServer, tables: &Arc<Tables>) -> Running {
    let (connection, projector) = (server.connect("projection").await, InMemory(tables.clone()));
    let stop = CancellationToken::new();
    let token = stop.clone();
    let task = tokio::spawn(async move { run_projector(&connection, &projector, &token).await });
    Running { stop, task }
}

async fn reached(tables: &Tables, position: u64) -> Vec<u64> {
    eventually("the projection to reach the position", || async {
        let committed = tables.committed.lock().expect("unpoisoned");
        (committed.1 >= position).then(|| committed.0.clone())
    })
    .await
}

#[tokio::test]
async fn every_event_is_applied_once_across_restarts() {
    let server = NatsServer::provisioned().await;
    let writer = ArticleWriter::new(&server).await;
    let tables = Arc::new(Tables::default());
    let mut expected = Vec::new();
    for round in 0..3 {
        let running = run(&server, &tables).await;
        for number in 0..20 {
            let title = format!("{round}.{number}");
            expected.push(writer.create("ann", &title, "C").await.head.position);
        }
        reached(&tables, *expected.last().expect("some")).await;
        running.stop.cancel();
        running.task.await.expect("no panic").expect("no error");
    }
    assert_eq!(tables.committed.lock().expect("unpoisoned").0, expected);
}

#[tokio::test]
async fn two_replicas_on_one_database_apply_every_event_once() {
    let server = NatsServer::provisioned().await;
    let writer = ArticleWriter::new(&server).await;
    let tables = Arc::new(Tables::default());
    let (one, other) = (run(&server, &tables).await, run(&server, &tables).await);
    let mut expected = Vec::new();
    for number in 0..50 {
        expected.push(writer.create("ann", &number.to_string(), "C").await.head.position);
    }
    assert_eq!(reached(&tables, *expected.last().expect("some")).await, expected);
    one.stop.cancel();
    other.stop.cancel();
}

#[tokio::test]
async fn what_cannot_be_read_is_a_dead_letter_and_the_rest_goes_on() {
    let server = NatsServer::provisioned().await;
    let writer = ArticleWriter::new(&server).await;
    let tables = Arc::new(Tables::default());
    let mut poisoned = writer.create("ann", "poisoned", "C").await;
    writer.unknown(&mut poisoned).await;
    let garbage = server.client("article").await;
    let subject = "events.article.0190b3a0-6b2a-7c3e-9d57-2a1f0c6b7e42";
    garbage.request(subject, "no event at all".into()).await.expect("stored");
    let last = writer.create("bob", "fine", "C").await;
    let running = run(&server, &tables).await;
    assert_eq!(reached(&tables, last.head.position).await, [1, 4]);
    let admin = async_nats::jetstream::new(server.client("admin").await);
    let dead = admin.get_stream("DEAD_LETTERS").await.expect("there");
    assert_eq!(dead.cached_info().state.messages, 2);
    let letter = dead
        .get_last_raw_message_by_subject(
            "dead.projection.events.article.0190b3a0-6b2a-7c3e-9d57-2a1f0c6b7e42",
        )
        .await
        .expect("there");
    assert_eq!(letter.payload, "no event at all");
    assert_eq!(letter.headers.get("Newswire-Dead-Position").expect("set").as_str(), "3");
    running.stop.cancel();
}

#[tokio::test]
async fn tables_ahead_of_the_stream_are_an_error_not_a_silence() {
    let server = NatsServer::provisioned().await;
    let tables = Arc::new(Tables::default());
    tables.committed.lock().expect("unpoisoned").1 = 7;
    let result = run(&server, &tables).await.task.await.expect("no panic");
    let error = result.expect_err("another stream");
    assert!(error.to_string().contains("belongs to another stream"), "{error}");
}

#[tokio::test]
async fn a_reader_whose_consumer_was_deleted_is_opened_again() {
    let server = NatsServer::provisioned().await;
    let writer = ArticleWriter::new(&server).await;
    let tables = Arc::new(Tables::default());
    let running = run(&server, &tables).await;
    let first = writer.create("ann", "before", "C").await;
    reached(&tables, first.head.position).await;
    let admin = async_nats::jetstream::new(server.client("admin").await);
    let events = admin.get_stream("EVENTS").await.expect("there");
    let names: Vec<String> = events.consumer_names().try_collect().await.expect("told");
    assert!(!names.is_empty());
    for name in names {
        server.delete_consumer("EVENTS", &name).await;
    }
    let second = writer.create("ann", "after", "C").await;
    let positions = [first.head.position, second.head.position];
    assert_eq!(reached(&tables, second.head.position).await, positions);
    running.stop.cancel();
}

/// Tables that cannot be written.
struct Stuck;

impl Projector for Stuck {
    const NAME: &'static str = "stuck";
    type Changes = ();
    type Error = std::io::Error;

    async fn position(&self) -> Result<u64, std::io::Error> {
        Ok(0)
    }

    async fn fold(
        &self,
        _: &[RecordedEvent],
        _: &[Rejected],
    ) -> Result<((), Vec<Rejected>), std::io::Error> {
        Ok(((), Vec::new()))
    }

    async fn commit(&self, (): (), _: u64, _: Mark) -> Result<bool, std::io::Error> {
        Err(std::io::Error::other("the disk is full"))
    }
}

#[tokio::test]
async fn tables_that_cannot_be_written_are_seen_to_fall_behind() {
    let of = |name: &str| metric(&format!("{name}{{consumer=\"stuck\"}}"));
    assert_eq!(of("consumer_lag_messages"), None);
    let server = NatsServer::provisioned().await;
    let writer = ArticleWriter::new(&server).await;
    // As the administrator: what it is called has no user.
    let connection = server.connect("admin").await;
    let stop = CancellationToken::new();
    let token = stop.clone();
    let task = tokio::spawn(async move {
        let measuring = measure_lag(&connection, Stuck::NAME, || 0, &token);
        tokio::join!(run_projector(&connection, &Stuck, &token), measuring).0
    });
    for number in 1..=3 {
        writer.create("ann", &number.to_string(), "C").await;
        eventually("the lag to be measured", || async {
            (of("consumer_lag_messages") == Some(f64::from(number))).then_some(())
        })
        .await;
    }
    assert!(of("consumer_lag_seconds").expect("measured") > 0.0);
    stop.cancel();
    task.await.expect("no panic").expect("no error");
}
