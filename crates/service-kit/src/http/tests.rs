mod connections;
mod cors;
mod refusals;

use std::time::Duration;

use axum::{
    Json, Router,
    body::Bytes,
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{client_address::TrustedProxies, request_context::RequestContext};
use crate::{Health, Lifecycle, Origins, Site, settings::HttpSettings};

/// The client library leaves the choice of the TLS provider to its user.
fn client() -> reqwest::Client {
    // It is chosen once a process; another test may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().timeout(Duration::from_secs(10)).build().expect("a client")
}

fn ready() -> Health {
    let health = Health::default();
    health.component("test").ready();
    health
}

struct TestSite {
    lifecycle: Lifecycle,
    health: Health,
    address: std::net::SocketAddr,
}

fn settings() -> HttpSettings {
    HttpSettings {
        listen: "127.0.0.1:0".parse().expect("an address"),
        max_connections: 16.try_into().expect("not zero"),
        max_connections_per_address: 16.try_into().expect("not zero"),
        header_timeout_ms: 300,
        request_timeout_ms: 300,
        write_timeout_ms: 300,
        max_body_bytes: 1024,
        trusted_proxies: TrustedProxies::default(),
        allowed_origins: Origins::default(),
        log_client_address: false,
    }
}

async fn site(routes: Router) -> TestSite {
    site_with(settings(), routes).await
}

async fn site_for(routes: Router, allowed_origins: Origins) -> TestSite {
    site_with(HttpSettings { allowed_origins, ..settings() }, routes).await
}

async fn site_with(settings: HttpSettings, routes: Router) -> TestSite {
    let (lifecycle, health) = (Lifecycle::new(Duration::from_secs(5)), ready());
    let site = Site::new(settings, lifecycle.clone(), health.clone());
    let address = site.mount(routes).await.expect("bound");
    TestSite { lifecycle, health, address }
}

impl TestSite {
    /// Sends raw bytes, returns the raw response.
    async fn raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.expect("connected");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut response = Vec::new();
        stream.read_to_end(&mut response).await.expect("received");
        String::from_utf8_lossy(&response).into_owned()
    }
}

fn routes() -> Router {
    Router::new()
        .route("/echo", post(|body: Bytes| async move { body }))
        .route(
            "/context",
            get(|context: axum::Extension<RequestContext>| async move {
                Json(json!({ "correlation": context.correlation_id, "trace": context.traceparent }))
            }),
        )
        .route("/panic", get(panics))
}

async fn panics() {
    panic!("a bug")
}

#[tokio::test]
async fn a_request_without_exactly_one_host_gets_400() {
    let site = site(routes()).await;
    for headers in [
        "",
        "Host: a\r\nHost: b\r\n",
        "Host:\r\n",
        "Host: user@a\r\n",
        "Host: a/path\r\n",
        "Host: a b\r\n",
        "Host: a:99999\r\n",
    ] {
        let request = format!("GET /context HTTP/1.1\r\nConnection: close\r\n{headers}\r\n");
        let response = site.raw(&request).await;
        assert!(response.starts_with("HTTP/1.1 400 "), "{headers:?}: {response}");
    }
}

#[tokio::test]
async fn a_request_smuggled_behind_a_chunked_one_is_not_read() {
    let site = site(routes()).await;
    let smuggled = "GET /context HTTP/1.1\r\nHost: a\r\n\r\n";
    let request = format!(
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\
         Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"
    );
    let response = site.raw(&request).await;
    assert_eq!(response.matches("HTTP/1.1 ").count(), 1, "{response}");
}

#[tokio::test]
async fn half_sent_headers_and_bodies_are_not_held_open() {
    let site = site(routes()).await;
    let response = site.raw("GET /context HTTP/1.1\r\nHost: a\r\nX-Half: ").await;
    assert!(response.is_empty() || response.starts_with("HTTP/1.1 408 "), "{response}");
    let request =
        "POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 9\r\n\r\nhalf";
    let response = site.raw(request).await;
    assert!(response.starts_with("HTTP/1.1 408 "), "{response}");
    assert!(response.contains("urn:newswire:problem:request-timeout"), "{response}");
}

#[tokio::test]
async fn a_refusal_does_not_cost_the_connection() {
    let site = site(routes()).await;
    let mut stream = TcpStream::connect(site.address).await.expect("connected");
    for _ in 0..2 {
        // The body comes later than the headers.
        let headers = "POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n";
        stream.write_all(headers.as_bytes()).await.expect("sent");
        stream.flush().await.expect("sent");
        tokio::task::yield_now().await;
        stream.write_all(b"body").await.expect("sent");
        let mut response = Vec::new();
        // A problem's body ends with its only brace of that kind.
        while !response.ends_with(b"}") {
            let read = stream.read_buf(&mut response).await.expect("received");
            assert!(read > 0, "the connection was closed");
        }
        assert!(response.starts_with(b"HTTP/1.1 404"));
    }
}

#[tokio::test]
async fn unknown_paths_methods_large_bodies_and_panics_are_problems() {
    let site = site(routes()).await;
    let client = client();
    let url = |path: &str| format!("http://{}{path}", site.address);
    let cases = [
        (client.get(url("/nowhere")), 404, "no-such-path"),
        (client.get(url("/echo")), 405, "method-not-allowed"),
        (client.get(url("/panic")), 500, "internal"),
    ];
    for (request, status, code) in cases {
        let response = request.send().await.expect("answered");
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let body: Value = response.json().await.expect("JSON");
        assert_eq!(body["type"], format!("urn:newswire:problem:{code}"));
    }
    let large = client.post(url("/echo")).body("x".repeat(1025)).send().await.expect("answered");
    assert_eq!(large.status(), 413);
    let body: Value = large.json().await.expect("JSON");
    assert_eq!(body["type"], "urn:newswire:problem:body-too-large");
}

#[tokio::test]
async fn what_may_be_about_to_be_mounted_is_503_with_the_parts_that_are_not_ready() {
    let site = site(routes()).await;
    let gateway = site.health.component("gateway");
    site.health.component("push").not_ready("no NATS");
    let nowhere = || async {
        let url = format!("http://{}/nowhere", site.address);
        let response = client().post(url).send().await.expect("answered");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body: Value = response.json().await.expect("JSON");
        (status, headers.get("retry-after").cloned(), body["detail"].clone())
    };
    let again = Some("1".parse().expect("a value"));
    let detail = json!("not ready: gateway, push; nothing was changed");
    assert_eq!(nowhere().await, (503, again.clone(), detail));
    gateway.ready();
    let detail = json!("not ready: push; nothing was changed");
    assert_eq!(nowhere().await, (503, again, detail));
    site.health.component("push").ready();
    assert_eq!(nowhere().await, (404, None, json!("there is nothing at this path")));
}

#[tokio::test]
async fn identity_comes_from_the_client_or_is_new() {
    let site = site(routes()).await;
    let client = client();
    let get = |correlation: &'static str, trace: &'static str| {
        client
            .get(format!("http://{}/context", site.address))
            .header("x-correlation-id", correlation)
            .header("traceparent", trace)
            .send()
    };
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let response = get("mine", trace).await.expect("answered");
    assert_eq!(response.headers()["x-correlation-id"], "mine");
    let body: Value = response.json().await.expect("JSON");
    assert_eq!(body["correlation"], "mine");
    let ours = body["trace"].as_str().expect("text");
    assert!(ours.starts_with("00-0af7651916cd43dd8448eb211c80319c-") && ours != trace, "{ours}");
    let response = get("not usable", "00-zz-b7ad6b7169203331-01").await.expect("answered");
    let id = response.headers()["x-correlation-id"].to_str().expect("text").to_owned();
    assert!(id.parse::<uuid::Uuid>().is_ok(), "{id}");
}

#[tokio::test]
async fn a_stop_lets_the_request_in_flight_end() {
    let (entered, leave) = (tokio::sync::mpsc::channel(1), tokio::sync::mpsc::channel(1));
    let (started, mut has_started) = entered;
    let (release, released) = leave;
    let released = std::sync::Arc::new(tokio::sync::Mutex::new(released));
    let slow = get(move || async move {
        started.send(()).await.expect("the test listens");
        released.lock().await.recv().await;
        "done"
    });
    let site = site(Router::new().route("/slow", slow)).await;
    let url = format!("http://{}/slow", site.address);
    let request = tokio::spawn(async move {
        let response = client().get(url).send().await.expect("answered");
        response.text().await.expect("text")
    });
    has_started.recv().await.expect("in flight");
    site.lifecycle.stop();
    release.send(()).await.expect("the handler listens");
    assert_eq!(request.await.expect("no panic"), "done");
    site.lifecycle.finish().await.expect("an orderly end");
    assert!(TcpStream::connect(site.address).await.is_err());
}
