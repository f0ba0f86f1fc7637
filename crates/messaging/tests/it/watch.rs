//! A reaction's durable under watch: how far it is behind, and what becomes of one that delivers nothing any more.

use std::sync::{Arc, Mutex};

use async_nats::jetstream::consumer::{PullConsumer, pull};
use eventsourcing::RecordedEvent;
use messaging::consumer::{Outcome, Reaction, run_reaction};
use test_support::{ArticleWriter, NatsServer, eventually, metric};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Handles what it has a permit for, and notes it. Each test has one with a name of its own, as metrics need it.
struct Gated<const TEST: usize> {
    permits: Semaphore,
    handled: Mutex<Vec<u64>>,
}

/// What the reactions are called.
const NAMES: [&str; 3] = ["lagging", "stalled", "deleted"];

impl<const TEST: usize> Gated<TEST> {
    fn new(permits: usize) -> Arc<Self> {
        Arc::new(Self { permits: Semaphore::new(permits), handled: Mutex::default() })
    }

    async fn handled(&self, last: u64) {
        eventually(&format!("position {last} to be handled"), || async {
            self.handled.lock().expect("unpoisoned").contains(&last).then_some(())
        })
        .await;
    }
}

impl<const TEST: usize> Reaction for Gated<TEST> {
    const NAME: &'static str = NAMES[TEST];
    const CONTEXTS: &'static [&'static str] = &["article"];

    async fn react(&self, event: &RecordedEvent) -> Outcome {
        self.permits.acquire().await.expect("it stays open").forget();
        self.handled.lock().expect("unpoisoned").push(event.position);
        Outcome::Done
    }
}

/// Runs it as the administrator: what it is called has no user.
async fn run<const TEST: usize>(
    server: &NatsServer,
    gated: &Arc<Gated<TEST>>,
) -> (CancellationToken, tokio::task::JoinHandle<()>) {
    let (connection, gated) = (server.connect("admin").await, gated.clone());
    let stop = CancellationToken::new();
    let token = stop.clone();
    let task = tokio::spawn(async move { run_reaction(&connection, gated, &token).await });
    (stop, task)
}

/// The durable, as an operator sees it.
async fn durable(server: &NatsServer, name: &str) -> PullConsumer {
    let jetstream = async_nats::jetstream::new(server.client("admin").await);
    eventually("the durable", || async {
        jetstream.get_consumer_from_stream(name, "EVENTS").await.ok()
    })
    .await
}

#[tokio::test]
async fn lag_is_measured_until_it_is_gone() {
    let of = |name: &str| metric(&format!("{name}{{consumer=\"lagging\"}}"));
    assert_eq!(of("consumer_lag_messages"), None);
    let server = NatsServer::provisioned().await;
    let writer = ArticleWriter::new(&server).await;
    let gated = Gated::<0>::new(0);
    let (stop, task) = run(&server, &gated).await;
    let mut article = writer.create("ann", "T", "C").await;
    writer.update(&mut article, "T", "C").await;
    writer.create("bob", "T", "C").await;
    let lag = async |messages: f64, lanes: f64| {
        eventually(&format!("a lag of {messages}"), || async {
            let there = [of("consumer_lag_messages"), of("consumer_lanes")];
            (there == [Some(messages), Some(lanes)]).then_some(())
        })
        .await;
    };
    lag(3.0, 2.0).await;
    assert!(of("consumer_lag_seconds").expect("measured") > 0.0);
    gated.permits.add_permits(3);
    lag(0.0, 0.0).await;
    assert_eq!(of("consumer_lag_seconds"), Some(0.0));
    assert!(of("consumer_events_total").expect("counted") >= 3.0);
    assert!(of("consumer_handling_seconds_count").expect("measured") >= 3.0);
    stop.cancel();
    task.await.expect("it ends when told to");
}

#[tokio::test]
async fn a_durable_that_stands_still_is_renewed() {
    let server = NatsServer::provisioned().await;
    let writer = ArticleWriter::new(&server).await;
    let gated = Gated::<1>::new(0);
    let (stop, task) = run(&server, &gated).await;
    let durable = durable(&server, "stalled").await;
    // An operator's slip of the pen: with one event in hand the server delivers no other.
    let config = pull::Config { max_ack_pending: 1, ..config(&durable) };
    let jetstream = async_nats::jetstream::new(server.client("admin").await);
    jetstream.create_consumer_on_stream(config, "EVENTS").await.expect("updated");
    for _ in 0..3 {
        writer.create("ann", "T", "C").await;
    }
    eventually("all to be in hand", || async {
        let info = durable.get_info().await.ok()?;
        (info.num_pending == 0 && info.num_ack_pending == 3).then_some(())
    })
    .await;
    gated.permits.add_permits(3);
    for position in 1..=3 {
        gated.handled(position).await;
    }
    stop.cancel();
    task.await.expect("it ends when told to");
}

/// What the durable is made of.
fn config(durable: &PullConsumer) -> pull::Config {
    let info = durable.cached_info();
    pull::Config {
        durable_name: Some(info.name.clone()),
        deliver_policy: info.config.deliver_policy,
        ack_policy: info.config.ack_policy,
        ack_wait: info.config.ack_wait,
        filter_subject: info.config.filter_subject.clone(),
        ..pull::Config::default()
    }
}

#[tokio::test]
async fn a_deleted_durable_is_made_again() {
    let server = NatsServer::provisioned().await;
    let writer = ArticleWriter::new(&server).await;
    let gated = Gated::<2>::new(10);
    let (stop, task) = run(&server, &gated).await;
    writer.create("ann", "T", "C").await;
    gated.handled(1).await;
    server.delete_consumer("EVENTS", "deleted").await;
    writer.create("ann", "T", "C").await;
    gated.handled(2).await;
    stop.cancel();
    task.await.expect("it ends when told to");
}
