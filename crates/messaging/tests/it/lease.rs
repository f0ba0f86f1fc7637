use std::sync::{Arc, Mutex};

use messaging::lease::{Lease, Waiting};
use test_support::{NatsServer, eventually};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const NAME: &str = "notification";

async fn lease(server: &NatsServer, record: Uuid) -> Lease {
    Lease::new(&server.connect(NAME).await, NAME, record)
}

fn ignore(_: &Waiting) {}

#[tokio::test]
async fn one_of_two_has_the_turn_until_it_gives_it_up() {
    let (server, record) = (NatsServer::provisioned().await, Uuid::now_v7());
    let (one, other) = (lease(&server, record).await, lease(&server, record).await);
    let stop = CancellationToken::new();
    let first = one.acquire(&stop, ignore).await.expect("nobody else wants it");
    let second = tokio::spawn({
        let (first, stop) = (first.clone(), stop.clone());
        async move {
            let second = other.acquire(&stop, ignore).await.expect("it is given up");
            assert!(!first.is_valid(), "two have the turn");
            second
        }
    });
    first.release().await;
    let second = second.await.expect("it gets its turn");
    assert!(second.is_valid());
    second.release().await;
    assert!(!second.is_valid());
}

#[tokio::test]
async fn a_turn_that_cannot_be_renewed_ends_before_another_begins() {
    let (mut server, record) = (NatsServer::provisioned().await, Uuid::now_v7());
    let (one, other) = (lease(&server, record).await, lease(&server, record).await);
    let stop = CancellationToken::new();
    let first = one.acquire(&stop, ignore).await.expect("nobody else wants it");
    server.kill();
    first.over().await;
    assert!(!first.is_valid());
    server.restart();
    let second = other.acquire(&stop, ignore).await.expect("the first is not renewed");
    assert!(second.is_valid() && !first.is_valid());
    second.release().await;
}

#[tokio::test]
async fn who_keeps_another_record_does_not_take_over_from_a_live_one() {
    let server = NatsServer::provisioned().await;
    let (one, other) = (lease(&server, Uuid::now_v7()).await, lease(&server, Uuid::now_v7()).await);
    let stop = CancellationToken::new();
    let first = one.acquire(&stop, ignore).await.expect("nobody else wants it");
    let heard = Arc::new(Mutex::new(Vec::new()));
    let waiting = tokio::spawn({
        let (heard, stop) = (heard.clone(), stop.clone());
        async move {
            other
                .acquire(&stop, |waiting| heard.lock().expect("unpoisoned").push(waiting.clone()))
                .await
        }
    });
    let is_foreign = || async {
        (heard.lock().expect("unpoisoned").last() == Some(&Waiting::ForeignRecord)).then_some(())
    };
    eventually("the other record to be noticed", is_foreign).await;
    first.release().await;
    heard.lock().expect("unpoisoned").clear();
    eventually("it to be said after the end as well", is_foreign).await;
    stop.cancel();
    assert!(waiting.await.expect("it ends when told to").is_none());
}
