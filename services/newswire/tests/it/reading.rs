//! Articles as readers find them: by slug, tag, words, position, and as they were.

use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{App, send};

fn post(app: &App, body: &Value) -> reqwest::RequestBuilder {
    app.request(Method::POST, "/api/articles").json(body)
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
    assert_eq!((page.status, page.body["next"].as_str()), (200, Some("2")), "{page:?}");
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
    // JavaScript keeps milliseconds of a time.
    let cut = format!("{:.23}Z", format!("{:0<30}", then.trim_end_matches('Z')));
    assert_eq!(get(&format!("?as_of={cut}")).await.body, second.body, "{cut}");
    assert_eq!(get("?as_of=2001-01-01T00:00:00Z").await.status, 404);
    assert_eq!(get("?version=3").await.status, 410);
    let missing = get("?version=9").await;
    assert_eq!(
        (missing.status, &missing.body["type"]),
        (404, &json!("urn:newswire:problem:version-not-found"))
    );
    let position = page.header("newswire-position");
    assert_eq!(missing.header("newswire-position"), position, "also of what is not there");
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
    let another = json!("urn:newswire:problem:position-of-another-stream");
    assert_eq!((future.status, &future.body["type"]), (409, &another));
    assert_eq!(future.header("newswire-stream"), created.header("newswire-stream"));
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
