//! What browsers are told about pages of other origins, over real HTTP.

use reqwest::{Method, Response, header::HeaderMap};

use super::{TestSite, client, routes, site, site_for};
use crate::Origins;

const ORIGIN: &str = "https://app.example";

async fn shared() -> TestSite {
    site_for(routes(), Origins::new([ORIGIN]).expect("exact")).await
}

async fn ask(site: &TestSite, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = client().request(method, format!("http://{}{path}", site.address));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.expect("answered")
}

fn list(headers: &HeaderMap, name: &str) -> Vec<String> {
    let text = headers.get(name).map_or("", |value| value.to_str().expect("ASCII"));
    let items = text.split(',').map(|item| item.trim().to_ascii_lowercase());
    items.filter(|item| !item.is_empty()).collect()
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_may_read_every_answer() {
    let site = shared().await;
    for (method, path, status) in [
        (Method::GET, "/context", 200),
        (Method::HEAD, "/context", 200),
        (Method::GET, "/nowhere", 404),
        (Method::DELETE, "/echo", 405),
        (Method::GET, "/panic", 500),
        (Method::OPTIONS, "/echo", 405),
    ] {
        let response = ask(&site, method.clone(), path, &[("origin", ORIGIN)]).await;
        assert_eq!(response.status(), status, "{method} {path}");
        if method == Method::OPTIONS {
            continue;
        }
        let headers = response.headers();
        assert_eq!(headers["access-control-allow-origin"], ORIGIN, "{method} {path}");
        assert_eq!(list(headers, "vary"), ["origin"]);
        let exposed = list(headers, "access-control-expose-headers");
        for name in [
            "newswire-position",
            "newswire-stream",
            "etag",
            "location",
            "link",
            "retry-after",
            "x-correlation-id",
            "idempotency-replayed",
        ] {
            assert!(exposed.iter().any(|exposed| exposed == name), "{name} in {exposed:?}");
        }
        assert!(!headers.contains_key("access-control-allow-credentials"));
    }
}

#[tokio::test]
async fn a_preflight_says_what_a_page_may_send() {
    let site = shared().await;
    let asked = [
        ("origin", ORIGIN),
        ("access-control-request-method", "PUT"),
        ("access-control-request-headers", "authorization,content-type,if-match"),
    ];
    // Also where the method is another, or the path is not there: the request itself will hear that.
    for path in ["/echo", "/nowhere"] {
        let response = ask(&site, Method::OPTIONS, path, &asked).await;
        assert!(response.status().is_success(), "{response:?}");
        let headers = response.headers();
        assert_eq!(headers["access-control-allow-origin"], ORIGIN);
        assert!(headers.contains_key("x-correlation-id"));
        assert_eq!(list(headers, "vary"), ["origin"]);
        let methods = list(headers, "access-control-allow-methods");
        assert_eq!(methods, ["get", "head", "post", "put", "delete"]);
        assert_eq!(headers["access-control-max-age"], "3600");
        let allowed = list(headers, "access-control-allow-headers");
        for name in [
            "authorization",
            "content-type",
            "idempotency-key",
            "if-match",
            "if-none-match",
            "prefer",
            "newswire-position",
            "newswire-stream",
            "x-correlation-id",
        ] {
            assert!(allowed.iter().any(|allowed| allowed == name), "{name} in {allowed:?}");
        }
        assert_eq!(response.text().await.expect("text"), "");
    }
}

#[tokio::test]
async fn a_page_of_another_origin_may_not() {
    let site = shared().await;
    for origin in [
        "https://app.example.eve.net",
        "http://app.example",
        "https://app.example:8443",
        "null",
        "",
    ] {
        for (method, asked) in
            [(Method::GET, "x-nothing"), (Method::OPTIONS, "access-control-request-method")]
        {
            let headers = [("origin", origin), (asked, "GET")];
            let response = ask(&site, method, "/context", &headers).await;
            assert!(!response.headers().contains_key("access-control-allow-origin"), "{origin}");
            assert_eq!(list(response.headers(), "vary"), ["origin"], "{origin}");
        }
    }
    let nobody = ask(&site, Method::GET, "/context", &[]).await;
    assert_eq!(list(nobody.headers(), "vary"), ["origin"], "a cache must know");
    assert!(!nobody.headers().contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn without_origins_browsers_are_told_nothing() {
    let site = site(routes()).await;
    for method in [Method::GET, Method::OPTIONS] {
        let asked = [("origin", ORIGIN), ("access-control-request-method", "GET")];
        let response = ask(&site, method.clone(), "/context", &asked).await;
        assert_eq!(response.status(), if method == Method::GET { 200 } else { 405 });
        let mut names = response.headers().keys().map(reqwest::header::HeaderName::as_str);
        assert!(!names.any(|name| name == "vary" || name.starts_with("access-control-")));
    }
}
