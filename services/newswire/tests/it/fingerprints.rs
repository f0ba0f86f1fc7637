//! What is in a command cannot be guessed from its event.

use contracts::article::CreateArticle;
use eventsourcing::{Actor, CommandEnvelope, Fingerprint, Fingerprints};
use futures_util::StreamExt as _;
use reqwest::Method;
use serde_json::json;
use test_support::PATIENCE;

use crate::app::{App, send};

#[tokio::test]
async fn a_guest_cannot_test_guesses_against_a_fingerprint() {
    let app = App::start().await;
    let guest = async_nats::connect(format!("127.0.0.1:{}", app.nats)).await;
    let guest = guest.expect("guests may connect");
    let mut live = guest.subscribe("live.events.article.*").await.expect("subscribed");
    guest.flush().await.expect("a round trip");
    let body = json!({"title": "T", "content": "sunflower7"});
    let posted = send(app.request(Method::POST, "/api/articles").json(&body)).await;
    assert_eq!(posted.status, 201, "{posted:?}");
    let event = tokio::time::timeout(PATIENCE, live.next()).await.expect("in time").expect("heard");
    let headers = event.headers.expect("headers");
    let seen: Fingerprint =
        headers.get("ce-commandfingerprint").expect("there").as_str().parse().expect("an id");
    // All that a guest knows, and the very content.
    let (title, content) = ("T".to_owned(), "sunflower7".to_owned());
    let data = CreateArticle { title, content, ..CreateArticle::default() };
    let command = CommandEnvelope::new(Actor::system("guest"), data);
    for key in ["", "newswire", "0123456789abcdef0123456789abcdef"] {
        let marks = Fingerprints::new(key.as_bytes()).of(&command).expect("JSON");
        assert!(!marks.are_of(seen), "{key}");
    }
    // Whoever has the key can.
    let key = std::fs::read_to_string(app.data().join("fingerprint.key")).expect("made");
    assert!(Fingerprints::new(key.trim().as_bytes()).of(&command).expect("JSON").are_of(seen));
}
