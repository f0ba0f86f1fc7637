//! How a socket begins: RFC 6455, 4.2, and who may.

use std::time::Duration;

use serde_json::json;
use test_support::eventually;

use crate::{
    client::{Client, Next},
    raw::Raw,
    service::{TestService, roomy},
};

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test]
async fn what_is_no_handshake_is_refused_as_the_standard_says() {
    let service = TestService::start().await;
    let key = "dGhlIHNhbXBsZSBub25jZQ==";
    for method in ["HEAD", "POST", "PUT", "DELETE"] {
        let (_, head) = Raw::request(&service.url, method, key).await;
        assert!(head.starts_with("HTTP/1.1 405 "), "{head}");
        assert!(head.contains("allow: GET\r\n"), "{head}");
        assert!(head.contains("application/problem+json"), "{head}");
    }
    for key in ["", "short", "dGhlIHNhbXBsZSBub25j", "dGhlIHNhbXBsZSBub25jZQ"] {
        let (_, head) = Raw::request(&service.url, "GET", key).await;
        assert!(head.starts_with("HTTP/1.1 400 "), "{key}: {head}");
    }
    let upgrade =
        format!("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: {key}\r\n");
    for version in ["", "Sec-WebSocket-Version: 8\r\n"] {
        let headers = format!("{upgrade}{version}");
        let (_, head) = Raw::request_with(&service.url, "GET", &headers).await;
        assert!(head.starts_with("HTTP/1.1 426 "), "{head}");
        assert!(head.contains("sec-websocket-version: 13\r\n"), "{head}");
    }
    let (_, head) = Raw::request_with(&service.url, "GET", "").await;
    assert!(head.starts_with("HTTP/1.1 426 ") && head.contains("upgrade: websocket\r\n"), "{head}");
    service.lifecycle.finish().await.expect("an orderly end");
}

#[tokio::test]
async fn a_user_who_could_not_write_is_not_authenticated_either() {
    let service = TestService::start().await;
    let mut client = service.client().await;
    for user in ["", " ", "a b", "a\nb", &"x".repeat(2000)] {
        let token = service.token(user, HOUR);
        assert_eq!(Client::connect(&service.url, Some(&token)).await.err(), Some(401), "{user:?}");
        client.send(&json!({ "type": "authenticate", "token": token }).to_string()).await;
        assert_eq!(client.frame().await["code"], "unauthorized", "{user:?}");
    }
    service.lifecycle.finish().await.expect("an orderly end");
}

#[tokio::test]
async fn a_token_is_good_as_long_as_it_is_taken_elsewhere() {
    let service = TestService::start().await;
    let mut client = eventually("a socket that works behind the end of its token", || async {
        // It ends now, and clocks may be five seconds apart. A machine that takes longer tries again.
        let token = service.token("ann", Duration::ZERO);
        let mut client = Client::connect(&service.url, Some(&token)).await.ok()?;
        for _ in 0..20 {
            client.send(r#"{"type":"ping"}"#).await;
            match client.next().await {
                Next::Frame(frame) if frame["type"] == "pong" => {}
                _ => return None,
            }
        }
        Some(client)
    })
    .await;
    assert_eq!(client.frame().await["reason"], "token-expired");
    assert_eq!(client.next().await, Next::Closed(4501));
    service.lifecycle.finish().await.expect("an orderly end");
}

#[tokio::test]
async fn each_limit_on_clients_has_its_own_answer() {
    let (one, two) = (1.try_into().expect("not zero"), 2.try_into().expect("not zero"));
    for (settings, status, problem) in [
        (push::PushSettings { max_clients: one, ..roomy() }, 503, "too-many-sockets"),
        (
            push::PushSettings { max_anonymous_clients: one, max_clients: two, ..roomy() },
            503,
            "too-many-anonymous-sockets",
        ),
        (
            push::PushSettings { max_anonymous_clients_per_address: one, ..roomy() },
            429,
            "too-many-sockets-of-address",
        ),
    ] {
        let for_strangers = settings.max_clients > one;
        let service = TestService::start_with(settings).await;
        let mut client = service.client().await;
        let refused = Client::refused(&service.url).await;
        assert_eq!(refused.0, status, "{problem}");
        assert_eq!(refused.1["type"], format!("urn:newswire:problem:{problem}"));
        assert!(refused.2, "{problem}: Retry-After was expected");
        if for_strangers {
            // Users have places of their own, and whoever becomes one leaves the strangers'.
            let token = service.token("ann", HOUR);
            drop(Client::connect(&service.url, Some(&token)).await.expect("connected"));
            client.send(&json!({ "type": "authenticate", "token": token }).to_string()).await;
            assert_eq!(client.frame().await["type"], "authenticated");
            eventually("a stranger's place", || async {
                Client::connect(&service.url, None).await.ok()
            })
            .await;
        }
        service.lifecycle.finish().await.expect("an orderly end");
    }
}

#[tokio::test]
async fn only_pages_of_this_and_of_allowed_origins_open_a_socket() {
    let service = TestService::start().await;
    let own = service.url.replace("ws://", "http://").replace("/ws", "");
    for (origin, status) in [
        (own.as_str(), "101"),
        ("https://app.example", "101"),
        ("https://eve.example", "403"),
        ("null", "403"),
    ] {
        let headers = format!(
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: {origin}\r\n"
        );
        let (_, head) = Raw::request_with(&service.url, "GET", &headers).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{origin}: {head}");
    }
    service.lifecycle.finish().await.expect("an orderly end");
}
