//! Three nats-servers, of which one or two stand still or are cut off: their connections stay, and little is answered on them.

use std::time::Instant;

use reqwest::Method;
use serde_json::json;
use test_support::{NatsCluster, eventually};

use crate::app::{App, send};

/// Whether an article is stored now.
async fn writes(app: &App, title: &str) -> Option<u64> {
    let body = json!({ "title": title, "content": "C" });
    let request = app.request(Method::POST, "/api/articles").json(&body);
    // The key makes one of all attempts.
    let written = send(request.header("idempotency-key", title)).await;
    (written.status == 201).then(|| written.header("newswire-position").parse().expect("a number"))
}

async fn is_ready(app: &App) -> bool {
    send(app.anonymous(Method::GET, "/readyz")).await.status == 200
}

#[tokio::test]
async fn a_leader_that_stands_still_is_given_up_for_another() {
    let cluster = NatsCluster::start().await;
    let app = App::start_on(&cluster).await;
    writes(&app, "before").await.expect("stored");
    let leader = cluster.leader_of("EVENTS").await;
    cluster.freeze(leader);
    let frozen = Instant::now();
    let position = eventually("a write on another server", || writes(&app, "meanwhile")).await;
    let resumed = frozen.elapsed();
    eventually("a read of it, and to be ready", || async {
        let list = app.request(Method::GET, "/api/articles");
        let list = send(list.header("newswire-position", position)).await;
        (list.status == 200 && is_ready(&app).await).then_some(())
    })
    .await;
    cluster.thaw(leader);
    let position = eventually("a write after that", || writes(&app, "after")).await;
    println!("three nodes: writes resumed {resumed:?} after the leader stood still");
    let articles = app.list(position).await;
    assert_eq!(articles.len(), 3, "each once: {articles:?}");
}

#[tokio::test]
async fn a_leader_that_is_cut_off_from_the_others_loses_its_clients() {
    let cluster = NatsCluster::start().await;
    let app = App::start_on(&cluster).await;
    writes(&app, "before").await.expect("stored");
    let leader = cluster.leader_of("EVENTS").await;
    cluster.cut_off(leader);
    let cut = Instant::now();
    let position = eventually("a write on another server", || writes(&app, "meanwhile")).await;
    let resumed = cut.elapsed();
    let read = eventually("a read of it, and to be ready", || async {
        let list = app.request(Method::GET, "/api/articles");
        let list = send(list.header("newswire-position", position)).await;
        (list.status == 200 && is_ready(&app).await).then_some(list.body)
    })
    .await;
    let healed = cut.elapsed();
    assert_eq!(read["items"].as_array().expect("items").len(), 2, "{read}");
    cluster.reconnect(leader);
    let position = eventually("a write after that", || writes(&app, "after")).await;
    println!(
        "three nodes: writes resumed {resumed:?} after the leader was cut off, all well after {healed:?}"
    );
    let articles = app.list(position).await;
    assert_eq!(articles.len(), 3, "each once: {articles:?}");
}

#[tokio::test]
async fn without_a_quorum_nothing_is_ready_and_with_it_everything_works_again() {
    let cluster = NatsCluster::start().await;
    let app = App::start_on(&cluster).await;
    writes(&app, "before").await.expect("stored");
    let leader = cluster.leader_of("EVENTS").await;
    let others: Vec<usize> = (0..3).filter(|number| *number != leader).collect();
    // The one that is left is the one that led.
    for other in &others {
        cluster.freeze(*other);
    }
    let frozen = Instant::now();
    eventually("not to be ready", || async { (!is_ready(&app).await).then_some(()) }).await;
    let noticed = frozen.elapsed();
    assert_eq!(writes(&app, "without").await, None, "nobody could acknowledge it");
    for other in &others {
        cluster.thaw(*other);
    }
    let thawed = Instant::now();
    eventually("to be ready and to write", || async {
        writes(&app, "without").await?;
        is_ready(&app).await.then_some(())
    })
    .await;
    let healed = thawed.elapsed();
    println!("no quorum: not ready after {noticed:?}, able {healed:?} after two servers were back");
}
