//! How a socket ends: RFC 6455, 5.5.1 and 7.

use std::{path::Path, process::Stdio};

use serde_json::json;
use test_support::eventually;
use tokio::process::Command;

use crate::{
    client::{Client, Next},
    raw::{Raw, Sent, frame},
    service::{TestService, roomy},
};

const SUBSCRIBE: &str = r#"{"type":"subscribe","topics":["articles"],"since":0}"#;

#[tokio::test]
async fn a_close_by_the_client_is_answered_with_its_code() {
    let service = TestService::start().await;
    for code in [Some(1000), Some(1001), Some(3000), Some(4321), None] {
        let mut client = service.client().await;
        client.close(code).await;
        assert_eq!(client.next().await, code.map_or(Next::ClosedWithoutCode, Next::Closed));
        assert_eq!(client.next().await, Next::Ended, "{code:?}");
    }
    service.lifecycle.finish().await.expect("an orderly end");
}

#[tokio::test]
async fn a_close_in_the_middle_of_a_replay_is_answered() {
    let service = TestService::start().await;
    service.write(400, 9000).await;
    let mut client = service.client().await;
    client.send(SUBSCRIBE).await;
    assert_eq!(client.frame().await["type"], "subscribed");
    client.close(Some(1000)).await;
    assert_eq!(client.end().await, Next::Closed(1000));
    assert_eq!(client.next().await, Next::Ended);
    service.lifecycle.finish().await.expect("an orderly end");
}

#[tokio::test]
async fn a_close_by_a_client_with_a_full_queue_is_answered() {
    let service = TestService::start_with(push::PushSettings {
        max_queued_bytes: (64 * 1024 * 1024).try_into().expect("not zero"),
        ..roomy()
    })
    .await;
    let mut raw = Raw::connect(&service.url).await;
    raw.frame(0x81, SUBSCRIBE.as_bytes()).await;
    // More than the system's buffers between the two take: the server is in the middle of a frame.
    service.write(1500, 9000).await;
    raw.frame(0x88, &1000_u16.to_be_bytes()).await;
    assert_eq!(raw.end().await, Sent::Close(Some(1000)));
    assert_eq!(raw.next().await, Sent::End);
    service.lifecycle.finish().await.expect("an orderly end");
}

#[tokio::test]
async fn a_close_behind_other_messages_is_answered_after_them() {
    let service = TestService::start().await;
    let mut raw = Raw::connect(&service.url).await;
    let pings = frame(0x81, br#"{"type":"ping"}"#).repeat(3);
    raw.bytes(&[pings, frame(0x88, &4000_u16.to_be_bytes())].concat()).await;
    assert_eq!(raw.end().await, Sent::Close(Some(4000)));
    assert_eq!(raw.next().await, Sent::End);
    service.lifecycle.finish().await.expect("an orderly end");
}

#[tokio::test]
async fn both_sides_may_close_at_once() {
    let service = TestService::start().await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(service.client().await);
    }
    service.lifecycle.stop();
    for client in &mut clients {
        client.close(Some(1000)).await;
        let end = client.end().await;
        assert!(matches!(end, Next::Closed(1000 | 1001)), "{end:?}");
        assert_eq!(client.next().await, Next::Ended);
    }
    service.lifecycle.finish().await.expect("an orderly end");
}

#[tokio::test]
async fn a_close_by_the_server_waits_for_the_clients() {
    let service = TestService::start().await;
    let mut raw = Raw::connect(&service.url).await;
    service.lifecycle.stop();
    assert_eq!(raw.end().await, Sent::Close(Some(1001)));
    // What was under way is of no use and does no harm.
    raw.frame(0x81, SUBSCRIBE.as_bytes()).await;
    raw.frame(0x88, &1001_u16.to_be_bytes()).await;
    assert_eq!(raw.next().await, Sent::End);
    service.lifecycle.finish().await.expect("an orderly end");
}

#[tokio::test]
async fn a_client_that_never_answers_a_close_holds_up_no_stop() {
    let service = TestService::start().await;
    let _mute = Raw::connect(&service.url).await;
    service.lifecycle.finish().await.expect("an orderly end");
}

#[tokio::test]
async fn each_violation_has_the_code_of_the_standard() {
    let service = TestService::start().await;
    let text = "x".repeat(65_537);
    let unmasked = vec![0x81, 2, b'{', b'}'];
    let halves = [frame(0x01, &[0xE2, 0x82]), frame(0x80, b"x")].concat();
    let fragments =
        [frame(0x01, &text.as_bytes()[..40_000]), frame(0x80, &text.as_bytes()[40_000..])];
    for (what, bytes, code) in [
        ("an unmasked frame", unmasked, 1002),
        ("a reserved bit", frame(0xC1, b"{}"), 1002),
        ("a reserved opcode", frame(0x83, b"{}"), 1002),
        ("a fragmented ping", frame(0x09, b""), 1002),
        ("a ping of 126 bytes", frame(0x89, &[0; 126]), 1002),
        ("a continuation of nothing", frame(0x80, b"{}"), 1002),
        ("a message within another", [frame(0x01, b"{"), frame(0x81, b"}")].concat(), 1002),
        ("a close of one byte", frame(0x88, &[3]), 1002),
        ("a close with a code that is none", frame(0x88, &999_u16.to_be_bytes()), 1002),
        ("a binary message", frame(0x82, b"{}"), 1003),
        ("text that is not UTF-8", frame(0x81, &[0xFF]), 1007),
        ("half a character", halves, 1007),
        ("a message that is too large", frame(0x81, text.as_bytes()), 1009),
        ("fragments that are too large", fragments.concat(), 1009),
        (
            "the header of a message that is too large",
            frame(0x81, text.as_bytes())[..14].to_vec(),
            1009,
        ),
    ] {
        let mut raw = Raw::connect(&service.url).await;
        raw.bytes(&bytes).await;
        assert_eq!(raw.end().await, Sent::Close(Some(code)), "{what}");
        assert_eq!(raw.next().await, Sent::End, "{what}");
    }
    service.lifecycle.finish().await.expect("an orderly end");
}

/// Another implementation than the one that the service is built on.
#[tokio::test]
async fn a_client_in_python_sees_clean_ends() {
    let service = TestService::start().await;
    service.write(50, 1000).await;
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut child = Command::new("python3")
        .arg(manifest.join("tests/it/python_client.py"))
        .arg(&service.url)
        .env("PYTHONPATH", manifest.join("../../.tools/python"))
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("python3 is there");
    let output = child.stdout.take().expect("piped");
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(output));
    let mut said = Vec::new();
    while let Some(line) = lines.next_line().await.expect("text") {
        if line == "waiting" {
            service.lifecycle.stop();
        }
        said.push(line);
    }
    assert_eq!(said, ["idle 1000", "code 4321", "replay 1000", "waiting", "stopped 1001"]);
    assert!(child.wait().await.expect("ended").success());
    service.lifecycle.finish().await.expect("an orderly end");
}

#[tokio::test]
async fn a_client_that_vanishes_is_forgotten() {
    let service = TestService::start_with(push::PushSettings {
        max_clients: 1.try_into().expect("not zero"),
        ..roomy()
    })
    .await;
    drop(Raw::connect(&service.url).await);
    eventually("a place to be free again", || async {
        Client::connect(&service.url, None).await.ok()
    })
    .await
    .subscribe(json!(["articles"]), None)
    .await;
    service.lifecycle.finish().await.expect("an orderly end");
}
