//! What a request may look like: its body, its coding, its query string.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::app::{App, Response, send};

const NOWHERE: &str = "/api/articles/0190b3a0-6b2a-7c3e-9d57-2a1f0c6b7e42";

fn post(app: &App, body: &str) -> RequestBuilder {
    let request = app.request(Method::POST, "/api/articles");
    request.header("content-type", "application/json").body(body.to_owned())
}

fn field(response: &Response) -> &str {
    response.body["errors"][0]["field"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn a_body_is_one_object_of_known_members() {
    let app = App::start().await;
    for (body, name) in [
        (r#"["T","C",null,null]"#, ""),
        (r#""T""#, ""),
        (r#"{"title":"T","title":"U","content":"C"}"#, "title"),
        (r#"{"title":"T","content":"C","slgu":"t"}"#, "slgu"),
        (r#"{"title":"T","content":"C","tags":{"0":"a"}}"#, "tags"),
    ] {
        let refused = send(post(&app, body)).await;
        assert_eq!((refused.status, field(&refused)), (400, name), "{body}: {refused:?}");
        let told = refused.body.to_string();
        assert!(!told.contains("struct") && !told.contains("ArticleBody"), "{told}");
    }
    assert_eq!(app.list(0).await, Vec::<Value>::new());

    // What was read may be sent back as it is.
    let created = send(post(&app, r#"{"title":"T","content":"C"}"#)).await;
    let path = format!("/api/articles/{}", created.body["id"].as_str().expect("an id"));
    let changed = send(app.request(Method::PUT, &path).json(&created.body)).await;
    assert_eq!((changed.status, &changed.body["version"]), (200, &json!(2)), "{changed:?}");
}

#[tokio::test]
async fn an_article_without_slug_says_so_wherever_it_is_shown() {
    let app = App::start().await;
    let created = send(post(&app, r#"{"title":"word","content":"C"}"#)).await;
    let path = format!("/api/articles/{}", created.body["id"].as_str().expect("an id"));
    let read = send(app.anonymous(Method::GET, &format!("{path}?min_position=1"))).await;
    let past = send(app.anonymous(Method::GET, &format!("{path}?version=1"))).await;
    let found = send(app.anonymous(Method::GET, "/api/articles?q=word")).await;
    for article in
        [&created.body, &read.body, &past.body, &app.list(1).await[0], &found.body["items"][0]]
    {
        assert_eq!(article.get("slug"), Some(&Value::Null), "{article}");
    }
}

#[tokio::test]
async fn a_body_in_another_coding_is_refused_with_the_one_that_is_taken() {
    let app = App::start().await;
    let body = r#"{"title":"T","content":"C"}"#;
    for coding in ["gzip", "GZIP", "br", "identity, gzip", "x"] {
        let refused = send(post(&app, body).header("content-encoding", coding)).await;
        assert_eq!(refused.status, 415, "{coding}: {refused:?}");
        assert_eq!(refused.header("accept-encoding"), "identity", "{coding}");
        assert_eq!(refused.body["type"], "urn:newswire:problem:unsupported-content-encoding");
    }
    let twice = post(&app, body).header("content-encoding", "identity");
    assert_eq!(send(twice.header("content-encoding", "gzip")).await.status, 415);
    let wrong_type = app.request(Method::POST, "/api/articles").body(body);
    let wrong_type = send(wrong_type.header("content-type", "text/plain")).await;
    assert_eq!((wrong_type.status, wrong_type.header("accept")), (415, "application/json"));
    assert_eq!(wrong_type.header("accept-encoding"), "", "the coding was not at fault");
    assert_eq!(app.list(0).await, Vec::<Value>::new());
    for coding in ["identity", "Identity", ""] {
        let taken = send(post(&app, body).header("content-encoding", coding)).await;
        assert_eq!(taken.status, 201, "{coding}: {taken:?}");
    }
}

#[tokio::test]
async fn a_parameter_that_a_path_does_not_have_is_named() {
    let app = App::start().await;
    let ops = app.mint(&["--user", "olga", "--role", "ops"]);
    let body = json!({ "title": "T", "content": "C" });
    for (method, path) in [
        (Method::GET, "/api/articles"),
        (Method::POST, "/api/articles"),
        (Method::GET, NOWHERE),
        (Method::PUT, NOWHERE),
        (Method::DELETE, NOWHERE),
        (Method::GET, &format!("{NOWHERE}/history")),
        (Method::GET, "/api/authors"),
        (Method::GET, "/api/authors/ann"),
        (Method::GET, "/api/activity"),
        (Method::GET, "/api/operations/0190b3a0-6b2a-7c3e-9d57-2a1f0c6b7e42"),
        (Method::GET, "/api/admin/dead-letters"),
        (Method::POST, "/api/admin/dead-letters/redrive"),
        (Method::POST, "/api/admin/dead-letters/drop"),
        (Method::GET, "/api/admin/dead-letters/1"),
        (Method::DELETE, "/api/admin/dead-letters/1"),
        (Method::GET, "/ws"),
    ] {
        let ask = |query: &str| {
            let request = app.anonymous(method.clone(), &format!("{path}?{query}"));
            let request = request.bearer_auth(&ops).json(&body);
            if path == "/ws" { handshake(request) } else { request }
        };
        for (query, name) in
            [("auther=x", "auther"), ("%61uther", "auther"), ("a%FF=1", "a\u{fffd}")]
        {
            let response = send(ask(query)).await;
            assert_eq!((response.status, field(&response)), (400, name), "{method} {path}?{query}");
        }
    }
    assert_eq!(app.list(0).await, Vec::<Value>::new());
}

fn handshake(request: RequestBuilder) -> RequestBuilder {
    let request = request.header("connection", "upgrade").header("upgrade", "websocket");
    let request = request.header("sec-websocket-version", "13");
    request.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
}

#[tokio::test]
async fn a_parameter_that_is_no_text_or_there_twice_is_named() {
    let app = App::start().await;
    for (query, name) in [
        ("q=%FF", "q"),
        ("tag=%C3", "tag"),
        ("slug=%ED%A0%80", "slug"),
        ("author=a%80b", "author"),
        ("cursor=%FE", "cursor"),
        ("limit=%FF", "limit"),
        ("min_position=%FF", "min_position"),
        ("stream=%FF", "stream"),
        ("limit=1&limit=1", "limit"),
        ("min_position=0&min_position=0", "min_position"),
        ("slug=a&q=a", "slug"),
    ] {
        let response = send(app.anonymous(Method::GET, &format!("/api/articles?{query}"))).await;
        assert_eq!((response.status, field(&response)), (400, name), "{query}: {response:?}");
    }
    for query in ["", "&&limit=1&", "q=a+b%20c", "q=100%", "q=%C3%A9", "%6Cimit=1", "tag"] {
        let response = send(app.anonymous(Method::GET, &format!("/api/articles?{query}"))).await;
        assert_eq!(response.status, 200, "{query}: {response:?}");
    }
}

#[tokio::test]
async fn an_article_is_found_by_its_slug() {
    let app = App::start().await;
    let body = |title: &str, slug: &str| json!({ "title": title, "content": "C", "slug": slug });
    let mut position = String::new();
    let mut paths = Vec::new();
    for (title, slug) in [("One", "one"), ("Two", "two")] {
        let request = app.request(Method::POST, "/api/articles").json(&body(title, slug));
        let created = send(request).await;
        position = created.header("newswire-position").to_owned();
        paths.push(format!("/api/articles/{}", created.body["id"].as_str().expect("an id")));
    }
    let find = async |query: &str, position: &str| {
        let path = format!("/api/articles?{query}&min_position={position}");
        let page = send(app.anonymous(Method::GET, &path)).await;
        assert_eq!((page.status, &page.body["next"]), (200, &Value::Null), "{page:?}");
        let items = page.body["items"].as_array().expect("items").iter();
        items.map(|item| item["title"].as_str().expect("a title").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(find("slug=two", &position).await, ["Two"]);
    assert_eq!(find("slug=two&author=ann", &position).await, ["Two"]);
    for nothing in ["slug=two&author=bob", "slug=two&tag=x", "slug=tw", "slug=Two", "slug="] {
        assert_eq!(find(nothing, &position).await, Vec::<String>::new(), "{nothing}");
    }
    let renamed = app.request(Method::PUT, &paths[1]).json(&body("Two", "zwei"));
    let position = send(renamed).await.header("newswire-position").to_owned();
    assert_eq!(find("slug=two", &position).await, Vec::<String>::new());
    assert_eq!(find("slug=zwei", &position).await, ["Two"]);
    let gone = send(app.request(Method::DELETE, &paths[0])).await;
    assert_eq!(find("slug=one", gone.header("newswire-position")).await, Vec::<String>::new());
}
