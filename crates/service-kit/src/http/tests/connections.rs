//! Clients that keep connections and do nothing with them.

use std::num::NonZeroUsize;

use tokio::time::Instant;

use super::*;
use crate::health::State;

/// More than the system holds of an answer for a client.
const LARGE: usize = 16 * 1024 * 1024;
/// How long a test waits for what should happen at once.
const PATIENCE: Duration = Duration::from_mins(1);

/// A minute for everything: nobody is closed because of a deadline.
fn patient(connections: usize) -> HttpSettings {
    HttpSettings {
        max_connections: NonZeroUsize::new(connections).expect("not zero"),
        max_connections_per_address: NonZeroUsize::new(1000).expect("not zero"),
        header_timeout_ms: 120_000,
        request_timeout_ms: 120_000,
        write_timeout_ms: 120_000,
        ..settings()
    }
}

fn large() -> Router {
    routes().route("/large", get(|| async { vec![b'x'; LARGE] }))
}

async fn send(site: &TestSite, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(site.address).await.expect("connected");
    stream.write_all(request.as_bytes()).await.expect("sent");
    stream
}

const READS_NOTHING: &str = "GET /large HTTP/1.1\r\nHost: a\r\n\r\n";
const NEVER_ENDS: &str = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf";
const NEVER_BEGINS: &str = "GET /context HTTP/1.1\r\nX-Half: ";

/// A request on a connection of its own.
async fn is_served(site: &TestSite) {
    let response = tokio::time::timeout(
        PATIENCE,
        site.raw("GET /context HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
    );
    let response = response.await.expect("served in time");
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
}

fn state(site: &TestSite) -> State {
    site.health.snapshot()["http: connections"].clone()
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn fifty_that_never_read_and_fifty_that_never_finish_keep_nobody_away() {
    let site = site_with(patient(50), large()).await;
    let mut rude = Vec::new();
    for request in [READS_NOTHING, NEVER_ENDS, NEVER_BEGINS] {
        for _ in 0..50 {
            rude.push(send(&site, request).await);
        }
        for _ in 0..10 {
            is_served(&site).await;
        }
    }
    assert_eq!(rude.len(), 150, "they stay until here");
}

#[tokio::test]
async fn who_takes_nothing_of_an_answer_is_closed() {
    let settings = HttpSettings { write_timeout_ms: 300, ..patient(16) };
    let site = site_with(settings, large()).await;
    let mut stream = send(&site, READS_NOTHING).await;
    let closed = async {
        // It does not end by itself, since nothing is read: what is sent finds the connection gone.
        while stream.write_all(b"GET /context HTTP/1.1\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, closed).await.expect("closed in time");
}

#[tokio::test]
async fn who_takes_an_answer_slowly_has_all_of_it() {
    let settings = HttpSettings { write_timeout_ms: 2_000, ..patient(16) };
    let body = 4 * 1024 * 1024;
    let routes = Router::new().route("/slow", get(move || async move { vec![b'x'; body] }));
    let site = site_with(settings, routes).await;
    let mut stream =
        send(&site, "GET /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    let mut part = vec![0; 128 * 1024];
    let mut taken = 0;
    // Three seconds and more in all, and never long without a byte.
    loop {
        match stream.read(&mut part).await.expect("received") {
            0 => break,
            read => taken += read,
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(taken > body, "{taken} bytes");
}

#[tokio::test]
async fn an_address_has_so_many_connections_and_is_told() {
    let settings =
        HttpSettings { max_connections_per_address: 2.try_into().expect("two"), ..patient(16) };
    let site = site_with(settings, routes()).await;
    let (first, _second) = (send(&site, NEVER_BEGINS).await, send(&site, NEVER_BEGINS).await);
    let response = site.raw("GET /context HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(response.starts_with("HTTP/1.1 429 "), "{response}");
    assert!(response.contains("too-many-connections-of-address"), "{response}");
    assert!(response.contains("retry-after: 5\r\n"), "{response}");
    drop(first);
    let begin = Instant::now();
    let request = "GET /context HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    while !site.raw(request).await.starts_with("HTTP/1.1 200 ") {
        assert!(begin.elapsed() < PATIENCE, "its place stays taken");
    }
}

#[tokio::test]
async fn behind_a_trusted_proxy_its_clients_are_counted() {
    let settings = HttpSettings {
        max_connections_per_address: 1.try_into().expect("one"),
        trusted_proxies: TrustedProxies::try_from("127.0.0.1".to_owned()).expect("an address"),
        ..patient(16)
    };
    let site = site_with(settings, routes()).await;
    let request = |client: &str| {
        format!(
            "POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Forwarded-For: {client}\r\n"
        )
    };
    let unfinished = format!("{}Content-Length: 9\r\n\r\nhalf", request("192.0.2.1"));
    let _first = send(&site, &unfinished).await;
    let whole = |client| format!("{}Content-Length: 0\r\n\r\n", request(client));
    let begin = Instant::now();
    // The first one may not have arrived yet.
    while !site.raw(&whole("192.0.2.1")).await.starts_with("HTTP/1.1 429 ") {
        assert!(begin.elapsed() < PATIENCE, "never refused");
    }
    assert!(site.raw(&whole("192.0.2.2")).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn readiness_says_when_there_is_no_place_left() {
    let (release, held) = tokio::sync::watch::channel(());
    let slow = get(move || {
        let mut held = held.clone();
        async move { if held.changed().await.is_ok() { "done" } else { "" } }
    });
    let site = site_with(patient(2), Router::new().route("/slow", slow)).await;
    assert_eq!(state(&site), State::Ready);
    let request = "GET /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let (mut first, _second) = (send(&site, request).await, send(&site, request).await);
    until("all are taken", || matches!(state(&site), State::Warning(_))).await;
    let third = send(&site, request).await;
    until("a third one waits", || !state(&site).is_ready()).await;
    assert!(!site.health.is_ready());
    drop(third);
    release.send(()).expect("they listen");
    let mut answer = String::new();
    first.read_to_string(&mut answer).await.expect("received");
    assert!(answer.ends_with("done"), "{answer}");
    drop(release);
    until("there is room", || state(&site) == State::Ready).await;
}
