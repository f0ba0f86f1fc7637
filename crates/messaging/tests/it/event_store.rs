use eventsourcing::{EventStore, Head, StreamId, conformance};
use messaging::JetStreamEventStore;
use test_support::{ArticleWriter, NatsServer};

#[tokio::test]
async fn the_jetstream_store_conforms() {
    let server = NatsServer::provisioned().await;
    // As the admin: the suite's context is nobody's.
    conformance::run(&JetStreamEventStore::new(server.connect("admin").await)).await;
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_killed_server() {
    let mut server = NatsServer::provisioned().await;
    let writer = ArticleWriter::new(&server).await;
    let mut article = writer.create("ann", "T", "C").await;
    server.kill();
    server.restart();
    let store = JetStreamEventStore::new(server.connect("article").await);
    let stream = StreamId::new("article", article.id);
    let events = store.load(&stream, Head::default()).await.expect("loaded");
    assert_eq!(events.len(), 1);
    writer.update(&mut article, "T2", "C2").await;
    assert_eq!(store.load(&stream, Head::default()).await.expect("loaded").len(), 2);
}
