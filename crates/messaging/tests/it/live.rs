//! What watchers see is what was stored.

use std::collections::BTreeSet;

use async_nats::{Client, HeaderMap, Message, Subscriber, header::NATS_MESSAGE_ID, jetstream};
use futures_util::{StreamExt, future::join_all};
use messaging::names::{self, header};
use test_support::NatsServer;
use uuid::Uuid;

/// Position, subject and body.
type Stored = (u64, String, String);

async fn watch(server: &NatsServer) -> Subscriber {
    let guest = async_nats::connect(server.url()).await.expect("guests may connect");
    let events = guest.subscribe(names::live_events_of("article")).await.expect("subscribed");
    // The answer to any request comes after the subscription.
    let _ = guest.request("queries.article.get", "{}".into()).await;
    events
}

/// Publishes `body` as the first event of its subject; says whether the stream took it as a new one.
async fn attempt(article: &Client, subject: &str, id: &str, body: String) -> bool {
    let mut headers = HeaderMap::new();
    headers.insert(NATS_MESSAGE_ID, id);
    headers.insert("Nats-Expected-Last-Subject-Sequence", "0");
    let answer = article.request_with_headers(subject.to_owned(), headers, body.into()).await;
    let answer: serde_json::Value =
        serde_json::from_slice(&answer.expect("an answer").payload).expect("JSON");
    answer.get("error").is_none() && answer.get("duplicate").is_none()
}

fn seen(message: &Message) -> Stored {
    let headers = message.headers.as_ref().expect("headers");
    let text = |name: &str| headers.get(name).expect("set by the server").as_str().to_owned();
    let subject = text(header::SUBJECT);
    assert_eq!(message.subject.as_str(), format!("live.{subject}"));
    (text(header::SEQUENCE).parse().expect("a number"), subject, body(&message.payload))
}

fn body(payload: &[u8]) -> String {
    String::from_utf8(payload.to_vec()).expect("text")
}

async fn stored(server: &NatsServer) -> Vec<Stored> {
    let jetstream = jetstream::new(server.client("admin").await);
    let stream = jetstream.get_stream(names::EVENTS).await.expect("the stream is there");
    let mut stored = Vec::new();
    for position in 1..=stream.cached_info().state.last_sequence {
        let message = stream.get_raw_message(position).await.expect("nothing is deleted");
        stored.push((position, message.subject.to_string(), body(&message.payload)));
    }
    stored
}

#[tokio::test]
async fn watchers_see_each_stored_event_once_in_order_and_no_attempt() {
    let server = NatsServer::provisioned().await;
    let mut events = watch(&server).await;
    let article = server.client("article").await;
    let subjects: Vec<_> = (0..20).map(|_| format!("events.article.{}", Uuid::now_v7())).collect();
    // Of ten that race for a subject one is stored; each is sent twice, and the second is a repeat or a conflict.
    let attempts = subjects.iter().flat_map(|subject| (0..10).map(move |writer| (subject, writer)));
    let taken = join_all(attempts.map(|(subject, writer)| {
        let article = &article;
        async move {
            let (id, body) = (format!("{subject}-{writer}"), format!("{{\"writer\":{writer}}}"));
            let first = attempt(article, subject, &id, body.clone()).await;
            let second = attempt(article, subject, &id, body).await;
            assert!(!second, "a repeat was taken for new");
            first
        }
    }))
    .await;
    assert_eq!(taken.iter().filter(|taken| **taken).count(), subjects.len());
    let stored = stored(&server).await;
    let of: BTreeSet<_> = stored.iter().map(|(_, subject, _)| subject).collect();
    assert_eq!((stored.len(), of.len()), (subjects.len(), subjects.len()));
    let mut watched = Vec::new();
    while watched.len() < stored.len() {
        watched.push(seen(&events.next().await.expect("the watcher is connected")));
    }
    assert_eq!(watched, stored);
    // One more shows that nothing came in between.
    let last = format!("events.article.{}", Uuid::now_v7());
    assert!(attempt(&article, &last, "last", "{}".to_owned()).await);
    let message = seen(&events.next().await.expect("the watcher is connected"));
    assert_eq!(message, (stored.len() as u64 + 1, last, "{}".to_owned()));
}

#[tokio::test]
async fn a_stream_of_before_is_told_live_once_it_is_provisioned() {
    let server = NatsServer::provisioned().await;
    let jetstream = jetstream::new(server.client("admin").await);
    let stream = jetstream.get_stream(names::EVENTS).await.expect("the stream is there");
    let config = &stream.cached_info().config;
    let before = jetstream::stream::Config { republish: None, ..config.clone() };
    jetstream.update_stream(before).await.expect("updated");
    let mut events = watch(&server).await;
    let article = server.client("article").await;
    let subject = |number: u8| format!("events.article.{}", Uuid::from_bytes([number; 16]));
    assert!(attempt(&article, &subject(1), "1", "{}".to_owned()).await);
    let admin = server.connect("admin").await;
    messaging::topology::provision(&admin, 1).await.expect("provisioned");
    assert!(attempt(&article, &subject(2), "2", "{}".to_owned()).await);
    let message = seen(&events.next().await.expect("the watcher is connected"));
    assert_eq!((message.0, message.1), (2, subject(2)));
}
