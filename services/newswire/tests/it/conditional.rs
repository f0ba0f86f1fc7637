//! Preconditions (RFC 9110, 13), of reads and of writes.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::app::{App, Response, send};

/// An article at version 2.
async fn article(app: &App) -> String {
    let body = json!({ "title": "T", "content": "C" });
    let created = send(app.request(Method::POST, "/api/articles").json(&body)).await;
    let path = format!("/api/articles/{}", created.body["id"].as_str().expect("an id"));
    assert_eq!(send(app.request(Method::PUT, &path).json(&body)).await.status, 200);
    path
}

fn with(mut request: RequestBuilder, headers: &[(&str, &str)]) -> RequestBuilder {
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request
}

fn problem(response: &Response) -> (u16, &str) {
    let code = response.body["type"].as_str().unwrap_or_default();
    (response.status, code.strip_prefix("urn:newswire:problem:").unwrap_or(code))
}

#[tokio::test]
async fn a_write_whose_precondition_is_false_is_412_and_changes_nothing() {
    let app = App::start().await;
    let path = article(&app).await;
    let false_ones: [&[(&str, &str)]; 18] = [
        &[("if-none-match", "*")],
        &[("if-none-match", "\"2\"")],
        &[("if-none-match", "W/\"2\"")],
        &[("if-none-match", "\"1\", \"2\"")],
        &[("if-none-match", "\"1\""), ("if-none-match", "\"2\"")],
        &[("if-match", "*"), ("if-none-match", "\"2\"")],
        &[("if-match", "\"2\""), ("if-none-match", "*")],
        &[("if-match", "\"1\"")],
        &[("if-match", "\"1\", \"3\"")],
        &[("if-match", "\"1\""), ("if-match", "\"3\"")],
        &[("if-match", "W/\"2\"")],
        &[("if-match", "\"02\"")],
        &[("if-match", "\"+2\"")],
        &[("if-match", "\"0\"")],
        &[("if-match", "\"x\"")],
        &[("if-match", "\"\"")],
        &[("if-match", "\"1,2\"")],
        &[("if-match", "\"99999999999999999999999\"")],
    ];
    let body = json!({ "title": "T", "content": "lost" });
    for headers in false_ones {
        for method in [Method::PUT, Method::DELETE] {
            let response = send(with(app.request(method, &path).json(&body), headers)).await;
            assert_eq!(problem(&response), (412, "version-mismatch"), "{headers:?}");
            assert_eq!(response.header("etag"), "\"2\"", "{headers:?}");
            assert_eq!(response.body["current_version"], 2, "{headers:?}");
        }
        // Left to the queue it is no other.
        let later = app.request(Method::DELETE, &path).header("prefer", "wait=5");
        assert_eq!(send(with(later, headers)).await.status, 412, "{headers:?}");
    }
    let read = send(app.request(Method::GET, &path)).await;
    assert_eq!((read.status, &read.body["content"]), (200, &json!("C")));
}

#[tokio::test]
async fn a_write_whose_precondition_is_true_is_done() {
    let app = App::start().await;
    let path = article(&app).await;
    let body = json!({ "title": "T", "content": "C" });
    let mut version = 2;
    for headers in [
        &[("if-match", "*")][..],
        &[("if-match", "\"VERSION\"")],
        &[("if-match", "\"1\", \"x,y\" ,,\"VERSION\"")],
        &[("if-match", "\"1\""), ("if-match", "W/\"1\", \"VERSION\"")],
        &[("if-none-match", "\"1\", W/\"x\"")],
        &[("if-none-match", "\"0VERSION\", \"+VERSION\"")],
        &[("if-match", "\"VERSION\""), ("if-none-match", "\"1\"")],
    ] {
        let now = version.to_string();
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| (*name, value.replace("VERSION", &now))).collect();
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let response = send(with(app.request(Method::PUT, &path).json(&body), &headers)).await;
        assert_eq!(response.status, 200, "{headers:?}: {response:?}");
        version += 1;
        assert_eq!(response.header("etag"), format!("\"{version}\""));
    }
    let new = app.request(Method::POST, "/api/articles").json(&body);
    assert_eq!(send(new.header("if-none-match", "*")).await.status, 201);
}

#[tokio::test]
async fn what_would_be_refused_anyway_is_refused_for_that() {
    let app = App::start().await;
    let path = article(&app).await;
    let body = json!({ "title": "T", "content": "C" });
    let bob = app.mint(&["--user", "bob"]);
    let nowhere = "/api/articles/0190b3a0-6b2a-7c3e-9d57-2a1f0c6b7e42";
    for header in ["if-match", "if-none-match"] {
        let put = |path: &str| app.anonymous(Method::PUT, path).json(&body).header(header, "\"2\"");
        assert_eq!(send(put(&path)).await.status, 401, "{header}");
        assert_eq!(send(put(&path).bearer_auth(&bob)).await.status, 403, "{header}");
        assert_eq!(send(put(nowhere).bearer_auth(&bob)).await.status, 404, "{header}");
        for wrong in ["2", "\"2", "\"2\" \"3\"", "w/\"2\"", "*, \"2\"", "\"a b\"", ",", "\"2\"x"] {
            let request = app.request(Method::PUT, &path).json(&body).header(header, wrong);
            let response = send(request).await;
            let field = response.body["errors"][0]["field"].as_str().unwrap_or_default();
            assert_eq!((response.status, field.to_lowercase().as_str()), (400, header), "{wrong}");
        }
    }
    assert_eq!(send(app.request(Method::DELETE, &path)).await.status, 204);
    let gone = app.request(Method::DELETE, &path).header("if-match", "\"1\"");
    assert_eq!(send(gone).await.status, 410);
}

#[tokio::test]
async fn a_read_is_304_when_the_client_has_it_and_412_when_it_must_have_it() {
    let app = App::start().await;
    let path = article(&app).await;
    let get = |headers: &[(&str, &str)]| with(app.anonymous(Method::GET, &path), headers);
    for (headers, status) in [
        (&[("if-none-match", "\"2\"")][..], 304),
        (&[("if-none-match", "W/\"2\"")], 304),
        (&[("if-none-match", "*")], 304),
        (&[("if-none-match", "\"a,b\", \"2\"")], 304),
        (&[("if-none-match", "\"1\""), ("if-none-match", "\"2\"")], 304),
        (&[("if-none-match", "\"02\", \"+2\", \"1\"")], 200),
        (&[("if-match", "\"2\""), ("if-none-match", "\"2\"")], 304),
        (&[("if-match", "\"1\""), ("if-none-match", "\"2\"")], 412),
        (&[("if-match", "W/\"2\"")], 412),
        (&[("if-match", "\"1\", \"2\"")], 200),
        (&[("if-match", "*")], 200),
    ] {
        for method in [Method::GET, Method::HEAD] {
            let request = with(app.anonymous(method, &path), headers);
            let response = send(request.header("newswire-position", "2")).await;
            assert_eq!(response.status, status, "{headers:?}: {response:?}");
            assert_eq!(response.header("etag"), "\"2\"", "{headers:?}");
            assert_eq!(response.body == Value::Null, status == 304 || response.body.is_null());
        }
    }
    let unchanged = send(get(&[("if-none-match", "\"2\"")])).await;
    assert_eq!(
        (unchanged.header("content-type"), unchanged.header("newswire-position")),
        ("", "2")
    );
    let past = app.anonymous(Method::GET, &format!("{path}?version=1"));
    assert_eq!(send(past.header("if-none-match", "\"2\"")).await.status, 200);
    let missing = app.anonymous(Method::GET, "/api/articles/0190b3a0-6b2a-7c3e-9d57-2a1f0c6b7e42");
    assert_eq!(send(missing.header("if-none-match", "*")).await.status, 404);
}
