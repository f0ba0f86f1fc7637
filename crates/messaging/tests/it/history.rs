use std::collections::BTreeSet;

use messaging::{Feed, history};
use test_support::{ArticleWriter, NatsServer, damage, eventually, metric};

/// A server whose disk has damaged the second of three events.
async fn damaged() -> NatsServer {
    let mut server = NatsServer::provisioned().await;
    let writer = ArticleWriter::new(&server).await;
    for title in ["one", "the-lost-one", "three"] {
        writer.create("ann", title, "C").await;
    }
    // One that was killed would read all its files anew, and cut them where one is damaged.
    server.stop();
    damage(&server.store_dir(), "the-lost-one");
    server.restart();
    server
}

fn is_told(damage: &BTreeSet<String>) -> bool {
    history::warning(damage).is_some_and(|told| told.contains("position 2 of the stream EVENTS"))
}

#[tokio::test]
async fn a_reader_that_passes_over_a_position_tells_it() {
    let gaps = "history_gaps_total{reader=\"projection\"}";
    assert_eq!(metric(gaps), None);
    let server = damaged().await;
    let connection = server.connect("projection").await;
    let mut reader = Feed::new(connection.clone(), "projection").after(0).await.expect("opened");
    let mut positions = Vec::new();
    while positions.last() != Some(&3) {
        positions.push(reader.next().await.expect("the same stream").position);
    }
    assert_eq!(positions, [1, 3], "the server leaves it out");
    connection.damage().wait_for(is_told).await.expect("told");
    eventually("the metric", || async { metric(gaps).filter(|gaps| *gaps >= 1.0) }).await;
}

#[tokio::test]
async fn claims_and_probes_are_no_gaps() {
    let server = NatsServer::provisioned().await;
    let writer = ArticleWriter::new(&server).await;
    writer.create("ann", "one", "C").await;
    server.store("events.probe", &[], "").await;
    writer.create("ann", "two", "C").await;
    let connection = server.connect("push").await;
    let mut walk = history::Walk::begin(&connection).await.expect("there is a stream");
    while let Some(flaws) = walk.step(|_| Ok(())).await.expect("told") {
        assert_eq!(flaws, []);
    }
    assert_eq!((walk.events(), walk.last()), (2, 3));
    let mut reader = Feed::new(connection.clone(), "push").after(0).await.expect("opened");
    assert_eq!(reader.next().await.expect("the same stream").position, 1);
    assert_eq!(reader.next().await.expect("the same stream").position, 3);
    // The look at it is over once another one has found something.
    connection.suspect("push", messaging::Suspicion::Positions(9..=9));
    connection.damage().wait_for(|damage| !damage.is_empty()).await.expect("told");
    let told: Vec<String> = connection.damage().borrow().iter().cloned().collect();
    assert_eq!(told, ["position 9 of the stream EVENTS has no message"]);
}
