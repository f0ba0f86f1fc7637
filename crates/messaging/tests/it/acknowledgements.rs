//! Acknowledgements in the form of today and in that of nats-server 2.16.

use std::time::Duration;

use eventsourcing::RecordedEvent;
use messaging::consumer::{Outcome, Reaction, run_reaction};
use test_support::{ArticleWriter, NatsServer};
use tokio_util::sync::CancellationToken;

/// Takes longer than a message may be in hand without a sign of life.
struct Slow;

impl Reaction for Slow {
    const NAME: &'static str = "notification";
    const CONTEXTS: &'static [&'static str] = &["article"];

    async fn react(&self, _: &RecordedEvent) -> Outcome {
        tokio::time::sleep(Duration::from_secs(4)).await;
        Outcome::Done
    }
}

/// One message gets two answers, `+WPI` and `+ACK`.
async fn a_slow_reaction_is_acknowledged(server: NatsServer) {
    ArticleWriter::new(&server).await.create("ann", "T", "C").await;
    let (connection, stop) = (server.connect("notification").await, CancellationToken::new());
    let token = stop.clone();
    let task = tokio::spawn(async move {
        run_reaction(&connection, std::sync::Arc::new(Slow), &token).await;
    });
    server.acknowledged("EVENTS", "notification", 1).await;
    stop.cancel();
    task.await.expect("it ends when told to");
}

#[tokio::test]
async fn a_reaction_that_takes_seconds_is_acknowledged() {
    a_slow_reaction_is_acknowledged(NatsServer::provisioned().await).await;
}

#[tokio::test]
async fn a_reaction_that_takes_seconds_is_acknowledged_in_the_new_form() {
    let server = NatsServer::provisioned_with_new_acknowledgements().await;
    a_slow_reaction_is_acknowledged(server).await;
}
