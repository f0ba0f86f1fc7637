//! Requests that no honest client sends. `make test` sends some, `make chaos` a hundred thousand.
//!
//! `NEWSWIRE_HOSTILE_REQUESTS` and `NEWSWIRE_CHAOS_SEED` choose how many, and which; `NEWSWIRE_NAUGHTY_STRINGS` names a
//! file with a JSON array of strings that are used beside those here.

mod request;
mod text;

use std::{sync::Arc, time::Duration};

use rand::{SeedableRng, rngs::StdRng};
use reqwest::Method;
use serde_json::{Value, json};
use service_kit::auth::{AuthSettings, Tokens};
use test_support::eventually;

use crate::app::{App, send, setting};

/// How many clients send at once.
const LANES: u64 = 4;

/// Tokens that are no good any more, or never were.
async fn bad_tokens(app: &App) -> Vec<String> {
    let good = app.mint(&["--user", "ann"]);
    let auth = AuthSettings {
        key: String::new().into(),
        key_file: app.data().join("auth.key").display().to_string(),
        ..test_support::auth()
    };
    let tokens = Tokens::new(&auth).expect("the key of the installation");
    let expired = tokens.mint("ann", &[], Duration::from_secs(1)).expect("signed");
    eventually("a token to expire", || async {
        let request = app.anonymous(Method::GET, "/api/articles").bearer_auth(&expired);
        (send(request).await.status == 401).then_some(())
    })
    .await;
    request::forged(&good).chain([expired]).collect()
}

#[tokio::test]
async fn hostile_requests_are_refused_and_change_nothing() {
    let app = Arc::new(App::start().await);
    let requests = setting("NEWSWIRE_HOSTILE_REQUESTS", 2000);
    let seed = setting("NEWSWIRE_CHAOS_SEED", 1);
    let tokens = Arc::new(bad_tokens(&app).await);
    let lanes = (0..LANES).map(|lane| {
        let (app, tokens) = (app.clone(), tokens.clone());
        tokio::spawn(async move {
            let mut random = StdRng::seed_from_u64(seed.wrapping_add(lane));
            for _ in 0..requests / LANES {
                let hostile = request::hostile(&app, &tokens, &mut random);
                let told = format!("{} in {:?}", hostile.what, hostile.request);
                let told: String = told.chars().take(500).collect();
                let response = send(hostile.request).await;
                assert!((400..500).contains(&response.status), "{response:?} for {told}");
                let problem = response.body["type"].as_str().unwrap_or_default();
                assert!(problem.starts_with("urn:newswire:problem:"), "{response:?} for {told}");
                assert_eq!(response.body["status"], response.status, "{told}");
            }
        })
    });
    for lane in lanes.collect::<Vec<_>>() {
        lane.await.expect("every request is refused with a problem");
    }
    assert!(!app.log().contains("panicked"), "something panicked");
    // The first event of all is the one that is stored now.
    let body = json!({ "title": "T", "content": "C" });
    let stored = send(app.request(Method::POST, "/api/articles").json(&body)).await;
    assert_eq!((stored.status, stored.header("newswire-position")), (201, "1"));
}

#[tokio::test]
async fn naughty_strings_that_are_valid_text_come_back_byte_for_byte() {
    let app = App::start().await;
    let mut stored = 0_u64;
    for text in text::naughty() {
        let body = json!({ "title": text, "content": text });
        let written = send(app.request(Method::POST, "/api/articles").json(&body)).await;
        if !text::is_valid_title(&text) {
            assert_eq!(written.status, 400, "{text:?}: {written:?}");
            continue;
        }
        assert_eq!(written.status, 201, "{text:?}: {written:?}");
        stored += 1;
        let path = format!("/api/articles/{}", written.body["id"].as_str().expect("an id"));
        let position = written.header("newswire-position").to_owned();
        let read = app.request(Method::GET, &path).header("newswire-position", position);
        let read: Value = send(read).await.body;
        assert_eq!((&read["title"], &read["content"]), (&json!(text), &json!(text)));
    }
    assert!(stored > 20, "only {stored} were stored");
    assert_eq!(app.list(stored).await.len() as u64, stored);
}
