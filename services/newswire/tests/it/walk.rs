//! One article all the way, and everything that is refused on it.

use reqwest::Method;
use serde_json::{Value, json};
use test_support::eventually;

use crate::{
    app::{App, send},
    socket::Socket,
};

fn post(app: &App, body: &Value) -> reqwest::RequestBuilder {
    app.request(Method::POST, "/api/articles").json(body)
}

/// Runs each test on each store of articles.
macro_rules! on_each_store {
    ($($test:ident,)+) => {
        mod on_jetstream {
            $(#[tokio::test]
            async fn $test() {
                super::$test(super::App::start().await).await;
            })+
        }

        mod on_postgres {
            $(#[tokio::test]
            async fn $test() {
                super::$test(super::App::start_on_postgres().await).await;
            })+
        }
    };
}

on_each_store! {
    one_article_travels_all_the_way_and_one_correlation_id_tells_its_story,
    an_article_is_changed_and_deleted_by_whom_it_belongs_to,
    the_same_key_again_is_the_same_outcome_and_another_body_is_refused,
}

async fn one_article_travels_all_the_way_and_one_correlation_id_tells_its_story(app: App) {
    let mut socket = Socket::connect(&app).await;
    socket.subscribe(&json!(["articles"]), None).await;
    let body = json!({ "title": "First light", "content": "It travels." });
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let request =
        post(&app, &body).header("x-correlation-id", "story-1").header("traceparent", trace);
    let created = send(request).await;

    assert_eq!(created.status, 201, "{created:?}");
    let id = created.body["id"].as_str().expect("an id").to_owned();
    assert_eq!(created.header("location"), format!("/api/articles/{id}"));
    assert_eq!((created.header("etag"), created.header("newswire-position")), ("\"1\"", "1"));
    assert_eq!(created.header("x-correlation-id"), "story-1");
    assert_eq!(created.body["author_id"], "ann");

    let path = format!("/api/articles/{id}");
    let read = send(app.anonymous(Method::GET, &path).header("newswire-position", "1")).await;
    assert_eq!((read.status, &read.body), (200, &created.body));
    assert_eq!(read.header("etag"), "\"1\"");

    let event = socket.event().await;
    assert_eq!((&event["type"], &event["position"]), (&json!("article.created"), &json!(1)));
    assert_eq!((&event["topic"], &event["user_id"]), (&json!("articles"), &json!("ann")));
    assert_eq!(event["data"]["title"], "First light");
    assert_eq!(event["aggregate_id"], id);
    assert_eq!(event["timestamp"], created.body["created_at"]);
    assert_eq!(event["correlation_id"], "story-1");
    let traceparent = event["traceparent"].as_str().expect("a trace");
    assert!(traceparent.starts_with("00-0af7651916cd43dd8448eb211c80319c-"), "{traceparent}");

    let mail = eventually("the mail", || async { app.mails().pop() }).await;
    assert!(mail.contains("X-Correlation-Id: story-1") && mail.contains(&id), "{mail}");
    for line in [
        "request served",
        "command accepted",
        "event projected",
        "event pushed",
        "notification sent",
    ] {
        eventually(line, || async {
            let log = app.log();
            log.lines().any(|of| of.contains(line) && of.contains("story-1")).then_some(())
        })
        .await;
    }
}

async fn an_article_is_changed_and_deleted_by_whom_it_belongs_to(app: App) {
    let created = send(post(&app, &json!({ "title": "T", "content": "C" }))).await;
    let path = format!("/api/articles/{}", created.body["id"].as_str().expect("an id"));
    let change = json!({ "title": "T2", "content": "C2" });
    let (bob, eve) =
        (app.mint(&["--user", "bob"]), app.mint(&["--user", "eve", "--role", "editor"]));
    let put = || app.anonymous(Method::PUT, &path).json(&change);

    assert_eq!(send(put()).await.status, 401);
    assert_eq!(send(put().bearer_auth("forged")).await.status, 401);
    let refused = send(put().bearer_auth(&bob)).await;
    assert_eq!(
        (refused.status, &refused.body["type"]),
        (403, &json!("urn:newswire:problem:not-the-author"))
    );
    let stale = send(put().bearer_auth(&eve).header("if-match", "\"7\"")).await;
    assert_eq!((stale.status, stale.header("etag")), (412, "\"1\""));
    let updated = send(put().bearer_auth(&eve).header("if-match", "\"1\"")).await;
    assert_eq!((updated.status, updated.header("etag")), (200, "\"2\""));
    assert_eq!((&updated.body["title"], &updated.body["author_id"]), (&json!("T2"), &json!("ann")));
    assert_eq!(updated.body["created_at"], created.body["created_at"]);

    let position = updated.header("newswire-position").to_owned();
    let read = app.request(Method::GET, &path).header("newswire-position", &position);
    let read = send(read.header("if-none-match", "\"2\"")).await;
    assert_eq!((read.status, &read.body), (304, &Value::Null));

    let deleted = send(app.request(Method::DELETE, &path)).await;
    assert_eq!((deleted.status, &deleted.body), (204, &Value::Null));
    let position = deleted.header("newswire-position").to_owned();
    let read = send(app.request(Method::GET, &path).header("newswire-position", &position)).await;
    assert_eq!(
        (read.status, &read.body["type"]),
        (410, &json!("urn:newswire:problem:article-deleted"))
    );
    assert_eq!(send(put().bearer_auth(&eve)).await.status, 410);
    assert_eq!(app.list(3).await, Vec::<Value>::new());
    eventually("three mails", || async { (app.mails().len() == 3).then_some(()) }).await;
}

async fn the_same_key_again_is_the_same_outcome_and_another_body_is_refused(mut app: App) {
    let body = json!({ "title": "T", "content": "C" });
    let first = send(post(&app, &body).header("idempotency-key", "\"once\"")).await;
    assert_eq!((first.status, first.header("idempotency-replayed")), (201, ""));
    app.kill();
    app.run().await;
    let again = send(post(&app, &body).header("idempotency-key", "once")).await;
    assert_eq!((again.status, &again.body), (201, &first.body));
    assert_eq!(again.header("newswire-position"), first.header("newswire-position"));
    assert_eq!(again.header("idempotency-replayed"), "true");
    let other = json!({ "title": "T", "content": "Another" });
    let reused = send(post(&app, &other).header("idempotency-key", "once")).await;
    assert_eq!(reused.status, 422, "{reused:?}");
    assert_eq!(app.list(1).await.len(), 1);
}

#[tokio::test]
async fn bad_input_is_a_4xx_problem_that_names_the_field_and_changes_nothing() {
    let app = App::start().await;
    let raw = |body: &str| app.request(Method::POST, "/api/articles").body(body.to_owned());
    let json = |body: &str| raw(body).header("content-type", "application/json");
    let get = |path: &str| app.request(Method::GET, path);
    let long = format!("{{\"title\":\"{}\",\"content\":\"C\"}}", "x".repeat(201));
    let huge = format!("{{\"title\":\"T\",\"content\":\"{}\"}}", "x".repeat(300_000));
    let deep = format!("{{\"title\":{}", "[".repeat(100_000));
    let nobody = "/api/articles/0190b3a0-6b2a-7c3e-9d57-2a1f0c6b7e42";
    let cases = [
        (raw("title=T"), 415, ""),
        (raw("{}").header("content-type", "text/plain"), 415, ""),
        (json(""), 400, ""),
        (json("{\"title\":\"T\""), 400, ""),
        (json("[]"), 400, ""),
        (json(&deep), 400, "title"),
        (json("{\"title\":\"\\ud800\",\"content\":\"C\"}"), 400, ""),
        (json("{}"), 400, "title"),
        (json("{\"title\":7,\"content\":\"C\"}"), 400, "title"),
        (json("{\"title\":\"T\",\"content\":null}"), 400, "content"),
        (json("{\"title\":\" \",\"content\":\"C\"}"), 400, "title"),
        (json("{\"title\":\"T\",\"content\":\"a\\u0000b\"}"), 400, "content"),
        (json(&long), 400, "title"),
        (json(&huge), 413, ""),
        (json("{}").header("idempotency-key", "x".repeat(256)), 400, "Idempotency-Key"),
        (get("/api/articles?limit=0"), 400, "limit"),
        (get("/api/articles?limit=many"), 400, "limit"),
        (get("/api/articles?cursor=x"), 400, "cursor"),
        (get("/api/articles?author=a%20b"), 400, "author"),
        (get("/api/articles/7"), 400, "id"),
        (get("/api/articles").header("newswire-position", "-1"), 400, "Newswire-Position"),
        (get(nobody), 404, ""),
        (app.request(Method::DELETE, nobody), 404, ""),
        (get("/api/nothing"), 404, ""),
        (app.request(Method::PATCH, nobody), 405, ""),
        (get("/api/articles").header("newswire-position", "1000"), 409, ""),
    ];
    for (number, (request, status, field)) in cases.into_iter().enumerate() {
        let response = send(request).await;
        assert_eq!(response.status, status, "case {number}: {response:?}");
        assert_eq!(response.header("content-type"), "application/problem+json", "case {number}");
        let named = response.body["errors"][0]["field"].as_str().unwrap_or_default();
        assert_eq!(named, field, "case {number}: {}", response.body);
    }
    assert_eq!(app.list(0).await, Vec::<Value>::new());
}
