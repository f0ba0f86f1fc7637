//! The push service on a real nats-server: events in, frames out.

mod client;
mod ending;
mod handshake;
mod measured;
mod raw;
mod rude;
mod service;

use std::time::Duration;

use serde_json::json;
use test_support::ArticleWriter;

use crate::{
    client::{Client, Next},
    service::{TestService, roomy},
};

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test]
async fn a_subscriber_gets_every_event_of_its_topics_in_order() {
    let service = TestService::start().await;
    let mut mine = service.writer.create("ann", "mine", "C").await;
    let (mut all, mut one, mut author) =
        (service.client().await, service.client().await, service.client().await);
    all.subscribe(json!(["articles"]), None).await;
    one.subscribe(json!([format!("article:{}", mine.id)]), None).await;
    author.subscribe(json!(["author:bob"]), None).await;
    let bobs = service.writer.create("bob", "bob's", "C").await;
    service.writer.update(&mut mine, "mine again", "C").await;
    let events = all.events(2).await;
    assert_eq!(events[0]["type"], "article.created");
    assert_eq!(events[0]["topic"], "articles");
    assert_eq!(events[0]["position"], bobs.head.position);
    let data = json!({
        "title": "bob's", "content": "C", "author_id": "bob", "slug": null, "tags": [],
    });
    assert_eq!(events[0]["data"], data);
    assert_eq!(events[0]["user_id"], "bob");
    assert_eq!(events[1]["type"], "article.updated");
    assert_eq!(events[1]["aggregate_id"], mine.id.to_string());
    assert_eq!(one.events(1).await[0]["position"], mine.head.position);
    assert_eq!(author.events(1).await[0]["position"], bobs.head.position);
    service.lifecycle.finish().await.expect("an orderly end");
}

#[tokio::test]
async fn an_event_of_several_topics_comes_once() {
    let service = TestService::start().await;
    let mut client = service.client().await;
    client.subscribe(json!(["articles", "author:ann"]), None).await;
    for number in 0..3 {
        service.writer.create("ann", &number.to_string(), "C").await;
    }
    let titles: Vec<_> =
        client.events(3).await.iter().map(|event| event["data"]["title"].clone()).collect();
    assert_eq!(titles, ["0", "1", "2"]);
    service.lifecycle.finish().await.expect("an orderly end");
}

#[tokio::test]
async fn a_client_that_resumes_under_load_misses_and_doubles_nothing() {
    const EVENTS: u64 = 600;
    let service = TestService::start().await;
    let writing = async {
        for number in 0..EVENTS {
            service.writer.create("ann", &number.to_string(), "C").await;
        }
    };
    let reading = async {
        let (mut cursor, mut seen) = (0, Vec::new());
        while cursor < EVENTS {
            // Comes back again and again, each time in the middle of things.
            let mut client = service.client().await;
            let subscribed = client.subscribe(json!(["articles"]), Some(cursor)).await;
            assert_eq!(subscribed["recovered"], true);
            for _ in 0..50.min(EVENTS - cursor) {
                cursor = client.events(1).await[0]["position"].as_u64().expect("a position");
                seen.push(cursor);
            }
        }
        seen
    };
    let ((), seen) = tokio::join!(writing, reading);
    assert_eq!(seen, (1..=EVENTS).collect::<Vec<_>>());
    service.lifecycle.finish().await.expect("an orderly end");
}

#[tokio::test]
async fn a_second_topic_with_a_past_does_not_double_the_first() {
    let service = TestService::start().await;
    let old = service.writer.create("ann", "old", "C").await;
    let mut client = service.client().await;
    client.subscribe(json!(["author:ann"]), None).await;
    let new = service.writer.create("ann", "new", "C").await;
    let other = service.writer.create("bob", "other", "C").await;
    assert_eq!(client.events(1).await[0]["position"], new.head.position);
    let subscribed = client.subscribe(json!(["articles"]), Some(0)).await;
    assert!(subscribed["position"].as_u64() >= Some(new.head.position), "{subscribed}");
    let positions: Vec<_> =
        client.events(2).await.iter().map(|event| event["position"].clone()).collect();
    assert_eq!(positions, [old.head.position, other.head.position]);
    service.lifecycle.finish().await.expect("an orderly end");
}

#[tokio::test]
async fn a_topic_that_was_left_and_is_taken_up_again_doubles_nothing() {
    let service = TestService::start().await;
    let mut client = service.client().await;
    client.subscribe(json!(["articles"]), None).await;
    for number in 0..3 {
        service.writer.create("ann", &number.to_string(), "C").await;
    }
    // None of the three is read yet: they are on their way or still queued.
    client.send(r#"{"type":"unsubscribe","topics":["articles"]}"#).await;
    let mut seen = Vec::new();
    loop {
        let frame = client.frame().await;
        if frame["type"] == "unsubscribed" {
            break;
        }
        seen.push(frame["position"].as_u64().expect("a position"));
    }
    let last = seen.last().copied().unwrap_or(0);
    service.writer.create("ann", "meanwhile", "C").await;
    client.subscribe(json!(["articles"]), Some(last)).await;
    while seen.len() < 4 {
        seen.push(client.events(1).await[0]["position"].as_u64().expect("a position"));
    }
    assert_eq!(seen, [1, 2, 3, 4]);
    service.lifecycle.finish().await.expect("an orderly end");
}

#[tokio::test]
async fn a_cursor_from_the_future_is_not_recovered() {
    let service = TestService::start().await;
    let mut client = service.client().await;
    let subscribed = client.subscribe(json!(["articles"]), Some(1_000_000)).await;
    assert_eq!((&subscribed["recovered"], &subscribed["position"]), (&json!(false), &json!(0)));
    service.lifecycle.finish().await.expect("an orderly end");
}

#[tokio::test]
async fn useless_frames_are_answered_and_change_nothing() {
    let service = TestService::start().await;
    let mut client = service.client().await;
    let many: Vec<String> = (0..11).map(|number| format!("author:{number}")).collect();
    for (frame, code) in [
        ("{", "malformed-frame"),
        (r#"{"type":"shout"}"#, "malformed-frame"),
        (r#"["ping"]"#, "malformed-frame"),
        (r#"["subscribe",["articles"],null]"#, "malformed-frame"),
        (r#"{"type":"ping","id":1}"#, "malformed-frame"),
        (r#"{"type":"subscribe","topics":["articles"],"sicne":1}"#, "malformed-frame"),
        (r#"{"type":"subscribe","topics":["nothing"]}"#, "unknown-topic"),
        (r#"{"type":"subscribe","topics":[]}"#, "wrong-number-of-topics"),
        (&json!({"type": "subscribe", "topics": many}).to_string(), "wrong-number-of-topics"),
        (r#"{"type":"subscribe","topics":["user:ann"]}"#, "forbidden-topic"),
        (r#"{"type":"authenticate","token":"forged"}"#, "unauthorized"),
    ] {
        client.send(frame).await;
        let answer = client.frame().await;
        assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!(code)), "{frame}");
    }
    client.send(r#"{"type":"ping"}"#).await;
    assert_eq!(client.frame().await["type"], "pong");
    service.lifecycle.finish().await.expect("an orderly end");
}

#[tokio::test]
async fn a_user_has_a_topic_of_their_own_once_authenticated() {
    let service = TestService::start().await;
    let mut client = service.client().await;
    let token = service.token("ann", HOUR);
    client.send(&json!({"type": "authenticate", "token": token}).to_string()).await;
    assert_eq!(client.frame().await["type"], "authenticated");
    client.subscribe(json!(["user:ann"]), None).await;
    client.send(&json!({"type": "refresh", "token": service.token("bob", HOUR)}).to_string()).await;
    assert_eq!(client.frame().await["code"], "unauthorized");
    service.writer.create("ann", "T", "C").await;
    assert_eq!(client.events(1).await[0]["topic"], "user:ann");
    service.lifecycle.finish().await.expect("an orderly end");
}

#[tokio::test]
async fn a_token_is_checked_at_connect_and_ends_the_socket_when_it_ends() {
    let service = TestService::start().await;
    assert_eq!(Client::connect(&service.url, Some("forged")).await.err(), Some(401));
    let token = service.token("ann", Duration::from_secs(1));
    let mut client = Client::connect(&service.url, Some(&token)).await.expect("connected");
    assert_eq!(
        client.next().await,
        Next::Frame(json!({
            "type": "bye", "reason": "token-expired", "reconnect_after_ms": 0,
        }))
    );
    assert_eq!(client.next().await, Next::Closed(4501));
    service.lifecycle.finish().await.expect("an orderly end");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_closed_and_nobody_else_waits() {
    let service = TestService::start_with(push::PushSettings {
        max_queued_bytes: 100_000.try_into().expect("not zero"),
        ..roomy()
    })
    .await;
    let (mut slow, mut quick) = (service.client().await, service.client().await);
    slow.subscribe(json!(["articles"]), None).await;
    quick.subscribe(json!(["articles"]), None).await;
    let content = "x".repeat(100_000 / 4);
    // More than the system's buffers between the two take.
    for number in 0..600_u64 {
        service.writer.create("ann", &number.to_string(), &content).await;
        assert_eq!(quick.events(1).await[0]["position"], number + 1);
    }
    let mut last = 0;
    let end = loop {
        match slow.next().await {
            Next::Frame(frame) => last = frame["position"].as_u64().unwrap_or(last),
            end => break end,
        }
    };
    assert!(matches!(end, Next::Closed(4008) | Next::Ended | Next::Vanished), "{end:?}");
    assert!(last < 600, "it was not slow enough");
    // And it misses nothing.
    let mut again = service.client().await;
    again.subscribe(json!(["articles"]), Some(last)).await;
    assert_eq!(again.events(1).await[0]["position"], last + 1);
    service.lifecycle.finish().await.expect("an orderly end");
}

#[tokio::test]
async fn a_stop_says_goodbye() {
    let service = TestService::start().await;
    let mut client = service.client().await;
    client.subscribe(json!(["articles"]), None).await;
    service.lifecycle.stop();
    let Next::Frame(bye) = client.next().await else { panic!("no goodbye") };
    assert_eq!((&bye["type"], &bye["reason"]), (&json!("bye"), &json!("going-away")));
    assert_eq!(client.next().await, Next::Closed(1001));
    service.lifecycle.finish().await.expect("an orderly end");
}

#[tokio::test]
async fn events_go_on_after_the_server_was_killed() {
    let mut service = TestService::start().await;
    let mut client = service.client().await;
    client.subscribe(json!(["articles"]), None).await;
    service.writer.create("ann", "before", "C").await;
    assert_eq!(client.events(1).await[0]["position"], 1);
    service.server.kill();
    service.server.restart();
    let after = ArticleWriter::new(&service.server).await.create("ann", "after", "C").await;
    assert_eq!(client.events(1).await[0]["position"], after.head.position);
    service.lifecycle.finish().await.expect("an orderly end");
}
