//! A stream that its disk has damaged: who notices, and what is said.

use reqwest::Method;
use serde_json::{Value, json};
use test_support::{damage, eventually};

use crate::app::{App, send};

/// `newswire verify`: whether it found nothing, and what it said.
fn verify(app: &App) -> (bool, String) {
    let output = app.command(&["verify"]).output().expect("newswire runs");
    let text = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
    (output.status.success(), text)
}

async fn write(app: &App, method: Method, path: &str, title: &str) -> Value {
    let body = json!({ "title": title, "content": "C" });
    let written = send(app.request(method, path).json(&body)).await;
    assert!([200, 201].contains(&written.status), "{written:?}");
    written.body
}

/// What `/readyz` says of the history, when it has a warning of it.
async fn warning(app: &App) -> Option<String> {
    let ready = send(app.anonymous(Method::GET, "/readyz")).await;
    assert_eq!(ready.status, 200, "it goes on with what it has: {ready:?}");
    let components = ready.body["components"].as_object().expect("components");
    let history = components.iter().filter(|(name, _)| name.ends_with(": history"));
    let mut warnings = history.filter_map(|(_, state)| state["warning"].as_str());
    warnings.next().map(str::to_owned)
}

#[tokio::test]
async fn a_damaged_event_is_found_told_and_not_written_over() {
    let mut app = App::start().await;
    write(&app, Method::POST, "/api/articles", "whole").await;
    let article = write(&app, Method::POST, "/api/articles", "first").await;
    let path = format!("/api/articles/{}", article["id"].as_str().expect("an id"));
    write(&app, Method::PUT, &path, "the-second").await;
    write(&app, Method::PUT, &path, "third").await;
    let (whole, said) = verify(&app);
    assert!(whole && said.contains("4 events") && said.contains("nothing is missing"), "{said}");

    // Not in order: a snapshot would stand for the history.
    app.kill();
    app.data_is_free().await;
    damage(&app.data().join("nats/jetstream"), "the-second");
    app.run().await;
    let (whole, said) = verify(&app);
    assert!(!whole, "{said}");
    assert!(said.contains("position 3 is missing"), "{said}");
    assert!(said.contains("position 4: version 3 follows version 1"), "{said}");
    assert!(said.contains("2 flaws") && said.contains("backup"), "{said}");

    let body = json!({ "title": "over it", "content": "C" });
    let refused = send(app.request(Method::PUT, &path).json(&body)).await;
    assert_eq!(refused.status, 409, "{refused:?}");
    assert_eq!(refused.body["type"], "urn:newswire:problem:history-damaged", "{refused:?}");
    let told = eventually("the damage to be told", || warning(&app)).await;
    assert!(
        told.contains("version 3 follows version 1") && told.contains("newswire verify"),
        "{told}"
    );
    assert!(app.log().contains("the stream of events is damaged"));
    write(&app, Method::POST, "/api/articles", "another").await;
}

#[tokio::test]
async fn a_reader_that_meets_a_gap_tells_it() {
    let mut app = App::start().await;
    for title in ["one", "the-lost-one", "three"] {
        write(&app, Method::POST, "/api/articles", title).await;
    }
    app.list(3).await;
    app.interrupt();
    damage(&app.data().join("nats/jetstream"), "the-lost-one");
    app.run().await;
    assert_eq!(warning(&app).await, None, "nobody has read it again");
    let rebuilt = app.command(&["projection", "rebuild", "articles", "--detach"]).output();
    assert!(rebuilt.expect("newswire runs").status.success());
    let told = eventually("the damage to be told", || warning(&app)).await;
    assert!(told.contains("position 2 of the stream EVENTS has no message"), "{told}");
    assert!(told.contains("newswire verify") && told.contains("backup"), "{told}");
}

/// An installation with an article of each of `titles`, all of them in the read model, stopped as a crash does.
async fn crashed_with(titles: &[&str]) -> App {
    let mut app = App::start().await;
    for title in titles {
        write(&app, Method::POST, "/api/articles", title).await;
    }
    app.list(titles.len() as u64).await;
    app.kill();
    app.data_is_free().await;
    app
}

#[tokio::test]
async fn a_damaged_last_event_is_told_and_the_rest_is_served() {
    let mut app = crashed_with(&["one", "two", "the-last-one"]).await;
    damage(&app.data().join("nats/jetstream"), "the-last-one");
    app.run().await;
    let (whole, said) = verify(&app);
    assert!(!whole && said.contains("position 3 is missing"), "{said}");
    assert!(said.contains("1 flaw") && said.contains("backup"), "{said}");
    let told = eventually("the damage to be told", || warning(&app)).await;
    assert!(told.contains("position 3 of the stream EVENTS has no message"), "{told}");
    // The read model has it: rebuilding would lose it there as well, so nobody does by itself.
    assert_eq!(app.list(3).await.len(), 3);
    write(&app, Method::POST, "/api/articles", "another").await;
}

#[tokio::test]
async fn an_end_that_the_server_cuts_off_is_told_and_the_rest_is_served() {
    let mut app = crashed_with(&["one", "the-damaged-one", "three", "four"]).await;
    let store = app.data().join("nats/jetstream");
    damage(&store, "the-damaged-one");
    // Without its index the server reads the file itself, and ends it where it cannot read on.
    let index = store.join("jetstream/NEWSWIRE/streams/EVENTS/msgs/index.db");
    std::fs::remove_file(index).expect("it is there");
    app.run().await;
    let told = "the stream went back: position 4 was known, and it ends at 1; only a backup of the stream can have what it lost";
    eventually("the loss to be told", || async { app.log().contains(told).then_some(()) }).await;
    let title = eventually("the read model to follow the stream", || async {
        let list = send(app.request(Method::GET, "/api/articles")).await;
        let items = list.body["items"].as_array()?.clone();
        (items.len() == 1).then(|| items[0]["title"].clone())
    })
    .await;
    assert_eq!(title, "one");
    write(&app, Method::POST, "/api/articles", "another").await;
}
