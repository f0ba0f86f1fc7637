use messaging::Feed;
use test_support::{ArticleWriter, NatsServer};

#[tokio::test]
async fn a_reader_starts_behind_its_position_and_reads_in_order() {
    let server = NatsServer::provisioned().await;
    let writer = ArticleWriter::new(&server).await;
    let first = writer.create("ann", "T1", "C").await;
    let feed = Feed::new(server.connect("projection").await, "projection");
    let mut reader = feed.after(first.head.position).await.expect("opened");
    let mut expected = Vec::new();
    for number in 0..700 {
        expected.push(writer.create("ann", &number.to_string(), "C").await.head.position);
    }
    let mut read = Vec::new();
    while read.len() < expected.len() {
        read.extend(
            reader
                .next_batch(100)
                .await
                .expect("the same stream")
                .into_iter()
                .map(|message| message.position),
        );
    }
    assert_eq!(read, expected);
    assert_eq!(feed.last_position().await.expect("known"), *expected.last().expect("some"));
}

#[tokio::test]
async fn a_reader_goes_on_after_the_server_was_killed() {
    let mut server = NatsServer::provisioned().await;
    let writer = ArticleWriter::new(&server).await;
    let feed = Feed::new(server.connect("push").await, "push");
    let mut reader = feed.after(0).await.expect("opened");
    let before = writer.create("ann", "before", "C").await;
    assert_eq!(reader.next().await.expect("the same stream").position, before.head.position);
    server.kill();
    server.restart();
    let after = ArticleWriter::new(&server).await.create("ann", "after", "C").await;
    let message = reader.next().await.expect("the same stream");
    assert_eq!(message.position, after.head.position);
    assert_eq!(message.event().expect("an event").aggregate_id, after.id);
}

#[tokio::test]
async fn events_that_are_large_come_too() {
    let server = NatsServer::provisioned().await;
    let writer = ArticleWriter::new(&server).await;
    // More than the server may send ahead.
    let content = "x".repeat(400_000);
    for _ in 0..30 {
        writer.create("ann", "large", &content).await;
    }
    let feed = Feed::new(server.connect("projection").await, "projection");
    let mut reader = feed.after(0).await.expect("opened");
    for position in 1..=30 {
        assert_eq!(reader.next().await.expect("the same stream").position, position);
    }
}

#[tokio::test]
async fn whoever_opens_last_reads() {
    let server = NatsServer::provisioned().await;
    let writer = ArticleWriter::new(&server).await;
    let feed = Feed::new(server.connect("projection").await, "projection");
    let _first = feed.after(0).await.expect("opened");
    let mut second = feed.after(0).await.expect("opened");
    for position in 1..=3 {
        assert_eq!(writer.create("ann", "T", "C").await.head.position, position);
        assert_eq!(second.next().await.expect("the same stream").position, position);
    }
    let jetstream = async_nats::jetstream::new(server.client("admin").await);
    let events = jetstream.get_stream("EVENTS").await.expect("there");
    assert_eq!(events.cached_info().state.consumer_count, 1);
}
