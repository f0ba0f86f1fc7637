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
        (get("/api/articles").header("newswire-position", "1000"), 503, ""),
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

#[tokio::test]
async fn a_slug_is_unique_and_tags_are_kept_in_one_form() {
    let app = App::start().await;
    let body = |slug: &str, tags: &[&str]| json!({ "title": "T", "content": "C", "slug": slug, "tags": tags });
    let first = send(post(&app, &body("first-light", &["Event Sourcing", "NATS", "nats"]))).await;
    assert_eq!(first.status, 201, "{first:?}");
    assert_eq!(first.body["slug"], "first-light");
    assert_eq!(first.body["tags"], json!(["event-sourcing", "nats"]));
    let taken = send(post(&app, &body("first-light", &[]))).await;
    assert_eq!(
        (taken.status, &taken.body["type"], &taken.body["errors"][0]["field"]),
        (409, &json!("urn:newswire:problem:slug-taken"), &json!("slug"))
    );
    let wrong = send(post(&app, &body("First Light", &["a", ""]))).await;
    let fields: Vec<_> = wrong.body["errors"].as_array().expect("errors").iter().collect();
    assert_eq!(
        (wrong.status, &fields[0]["field"], &fields[1]["field"]),
        (400, &json!("slug"), &json!("tags[1]"))
    );

    let path = format!("/api/articles/{}", first.body["id"].as_str().expect("an id"));
    let change = json!({ "title": "T2", "content": "C2", "tags": [] });
    let changed = send(app.request(Method::PUT, &path).json(&change)).await;
    let position = changed.header("newswire-position").to_owned();
    let read = send(app.request(Method::GET, &path).header("newswire-position", &position)).await;
    assert_eq!((&read.body, &read.body["slug"]), (&changed.body, &json!("first-light")));
    assert_eq!(read.body["tags"], json!([]));
    let tagged = async |tag: &str, position: &str| {
        let path = format!("/api/articles?tag={tag}&author=ann&min_position={position}");
        let page = send(app.anonymous(Method::GET, &path)).await;
        page.body["items"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(tagged("nats", &position).await, 0, "its tags were taken away");
    let other = send(post(&app, &body("second", &["Event Sourcing"]))).await;
    let then = other.header("newswire-position");
    for (tag, count) in [("event-sourcing", 1), ("Event%20SOURCING", 1), ("event", 0), ("", 0)] {
        assert_eq!(tagged(tag, then).await, count, "{tag}");
    }
    let path = format!("/api/articles/{}", other.body["id"].as_str().expect("an id"));
    let gone = send(app.request(Method::DELETE, &path)).await;
    assert_eq!(tagged("event-sourcing", gone.header("newswire-position")).await, 0);
    let path = format!("/api/articles/{}", first.body["id"].as_str().expect("an id"));

    let listed = app.list(position.parse().expect("a number")).await;
    assert_eq!((&listed[0]["slug"], listed.len()), (&json!("first-light"), 1));

    assert_eq!(send(app.request(Method::DELETE, &path)).await.status, 204);
    let again = send(post(&app, &body("first-light", &[]))).await;
    assert_eq!(again.status, 201, "a deleted article frees its slug: {again:?}");
}

#[tokio::test]
async fn an_articles_past_can_be_read_and_gone_back_to() {
    let app = App::start().await;
    let first = send(post(&app, &json!({ "title": "One", "content": "C" }))).await;
    let path = format!("/api/articles/{}", first.body["id"].as_str().expect("an id"));
    let eve = app.mint(&["--user", "eve", "--role", "editor"]);
    let change = json!({ "title": "Two", "content": "C", "slug": "two" });
    let second = send(app.anonymous(Method::PUT, &path).bearer_auth(&eve).json(&change)).await;
    assert_eq!(second.status, 200, "{second:?}");
    assert_eq!(send(app.request(Method::DELETE, &path)).await.status, 204);

    // What was taken down is its author's and the editors' business.
    for past in ["/history", "?version=1"] {
        let public = send(app.anonymous(Method::GET, &format!("{path}{past}"))).await;
        assert_eq!(public.status, 410, "{past}: {public:?}");
    }
    let get = |rest: &str| send(app.request(Method::GET, &format!("{path}{rest}")));
    let page = get("/history?limit=2").await;
    assert_eq!((page.status, page.body["next"].as_u64()), (200, Some(2)), "{page:?}");
    assert_eq!(page.header("link"), format!("<{path}/history?limit=2&cursor=2>; rel=\"next\""));
    let entry = &page.body["items"][1];
    assert_eq!((&entry["type"], &entry["user_id"]), (&json!("article.updated"), &json!("eve")));
    assert_eq!((&entry["version"], &entry["time"]), (&json!(2), &second.body["updated_at"]));
    let changes = json!([
        { "field": "title", "from": "One", "to": "Two" },
        { "field": "slug", "from": null, "to": "two" },
    ]);
    assert_eq!(entry["changes"], changes);
    let rest = get("/history?cursor=2").await;
    assert_eq!(
        (&rest.body["items"][0]["type"], &rest.body["next"]),
        (&json!("article.deleted"), &Value::Null)
    );
    assert_eq!(
        rest.body["items"][0]["changes"][0],
        json!({ "field": "title", "from": "Two", "to": null })
    );

    assert_eq!(get("?version=1").await.body, first.body);
    let then = second.body["updated_at"].as_str().expect("a time");
    assert_eq!(get(&format!("?as_of={then}")).await.body, second.body);
    assert_eq!(get("?as_of=2001-01-01T00:00:00Z").await.status, 404);
    assert_eq!(get("?version=3").await.status, 410);
    let missing = get("?version=9").await;
    assert_eq!(
        (missing.status, &missing.body["type"]),
        (404, &json!("urn:newswire:problem:version-not-found"))
    );
    for wrong in [
        "?version=x",
        "?as_of=yesterday",
        "?version=1&as_of=2001-01-01T00:00:00Z",
        "/history?limit=0",
        "/history?cursor=x",
    ] {
        assert_eq!(get(wrong).await.status, 400, "{wrong}");
    }
    let nowhere = "/api/articles/0190b3a0-6b2a-7c3e-9d57-2a1f0c6b7e42/history";
    assert_eq!(send(app.anonymous(Method::GET, nowhere)).await.status, 404);
}

#[tokio::test]
async fn a_link_can_name_the_position_that_it_needs() {
    let app = App::start().await;
    let created = send(post(&app, &json!({ "title": "T", "content": "C" }))).await;
    let position = created.header("newswire-position");
    let path = format!("/api/articles?min_position={position}");
    let listed = send(app.anonymous(Method::GET, &path)).await;
    assert_eq!((listed.status, listed.body["items"].as_array().map(Vec::len)), (200, Some(1)));
    let future = send(app.anonymous(Method::GET, "/api/articles?min_position=9")).await;
    assert_eq!((future.status, future.header("retry-after")), (503, "1"));
    let wrong = send(app.anonymous(Method::GET, "/api/articles?min_position=x")).await;
    assert_eq!((wrong.status, &wrong.body["errors"][0]["field"]), (400, &json!("min_position")));
}

#[tokio::test]
async fn articles_are_found_by_their_words_best_first() {
    let app = App::start().await;
    let article = |title: &str, content: &str| json!({ "title": title, "content": content });
    let (light, hall) = ("First light", "The old hall was <b>dark</b> before the light came.");
    let mut position = String::new();
    for body in [
        article("The hall", hall),
        article(light, "The presses ran all night."),
        article("Weather", "Rain & wind. Größe."),
    ] {
        position = send(post(&app, &body)).await.header("newswire-position").to_owned();
    }
    let find = async |q: &str, position: &str| {
        let path = format!("/api/articles?{q}&min_position={position}");
        let found = send(app.anonymous(Method::GET, &path)).await;
        assert_eq!(found.status, 200, "{found:?}");
        found.body
    };
    let titles = |page: &Value| {
        let items = page["items"].as_array().expect("items").iter();
        items.map(|item| item["title"].as_str().expect("a title").to_owned()).collect::<Vec<_>>()
    };
    let found = find("q=light", &position).await;
    assert_eq!(titles(&found), [light, "The hall"], "the title counts more");
    let snippet = found["items"][1]["snippet"].as_str().expect("a snippet");
    assert!(
        snippet.contains("<mark>light</mark>") && snippet.contains("&lt;b&gt;dark"),
        "{snippet}"
    );
    assert_eq!(titles(&find("q=hall%20LIGHT", &position).await), ["The hall"]);
    assert_eq!(titles(&find("q=grosse", &position).await), Vec::<String>::new());
    assert_eq!(titles(&find("q=gr%C3%B6%C3%9Fe", &position).await), ["Weather"]);
    for odd in ["%22", "*", "a%20OR%20b", "%00", "NEAR(", "-", "title:x", "%F0%9F%A6%80"] {
        assert_eq!(
            titles(&find(&format!("q={odd}"), &position).await),
            Vec::<String>::new(),
            "{odd}"
        );
    }

    // Pages are about what was there at the first one.
    let first = find("q=the&limit=1", &position).await;
    let next = first["next"].as_str().expect("there is more").to_owned();
    let newer = send(post(&app, &article("The the the", "the"))).await;
    let position = newer.header("newswire-position").to_owned();
    let second = find(&format!("q=the&limit=1&cursor={next}"), &position).await;
    assert_ne!(titles(&first), titles(&second));
    assert!(!titles(&second).contains(&"The the the".to_owned()) && second["next"].is_null());

    let path = format!("/api/articles/{}", newer.body["id"].as_str().expect("an id"));
    let changed = article("Renamed", "words that were not there before");
    let changed = send(app.request(Method::PUT, &path).json(&changed)).await;
    let position = changed.header("newswire-position").to_owned();
    assert_eq!(titles(&find("q=before%20words", &position).await), ["Renamed"]);
    let gone = send(app.request(Method::DELETE, &path)).await;
    let position = gone.header("newswire-position").to_owned();
    assert_eq!(titles(&find("q=renamed", &position).await), Vec::<String>::new());
    for wrong in ["q=", "q=a&limit=0", "q=a&cursor=x", &format!("q={}", "x".repeat(201))] {
        let wrong = send(app.anonymous(Method::GET, &format!("/api/articles?{wrong}"))).await;
        assert_eq!(wrong.status, 400, "{wrong:?}");
    }
}
