//! Clients that never finish and clients that never read: they cost nobody else anything.

use serde_json::json;
use test_support::eventually;

use crate::{
    client::Client,
    raw::{Raw, Sent, frame},
    service::{TestService, roomy},
};

/// Of each kind.
const RUDE: usize = 50;

#[tokio::test]
async fn a_message_has_a_deadline_whatever_comes_between() {
    let service =
        TestService::start_with(push::PushSettings { message_timeout_ms: 300, ..roomy() }).await;
    let mut polite = service.client().await;
    for half in
        [frame(0x81, b"{}")[..3].to_vec(), frame(0x01, b"{"), frame(0x89, b"p")[..4].to_vec()]
    {
        let whole_frame = half.len() > 4;
        let mut raw = Raw::connect(&service.url).await;
        raw.bytes(&half).await;
        loop {
            if whole_frame {
                // A sign of life finishes no message.
                raw.frame(0x89, b"").await;
            }
            match raw.next().await {
                Sent::Other(_) => {}
                Sent::Text(bye) => assert!(bye.contains("message-timeout"), "{bye}"),
                end => break assert_eq!(end, Sent::Close(Some(4504))),
            }
        }
    }
    // Silence between messages is no message.
    polite.send(r#"{"type":"ping"}"#).await;
    assert_eq!(polite.frame().await["type"], "pong");
    service.lifecycle.finish().await.expect("an orderly end");
}

#[tokio::test]
async fn strangers_together_leave_only_so_much_unfinished() {
    let service = TestService::start_with(push::PushSettings {
        max_anonymous_unfinished_bytes: 100_000.try_into().expect("not zero"),
        ..roomy()
    })
    .await;
    let most = frame(0x81, &vec![b'x'; 60_000]);
    let mut first = Raw::connect(&service.url).await;
    // The answer to a ping in front says that the server has got that far.
    first.bytes(&[frame(0x89, b""), most[..30_000].to_vec()].concat()).await;
    assert_eq!(first.next().await, Sent::Other(0x8A));
    let full = eventually("the room to be taken", || async {
        let mut second = Raw::connect(&service.url).await;
        second.bytes(&most[..most.len() - 1]).await;
        // Either the close, or the pong of a ping behind the first fragment that was too much.
        Some(second.end().await)
    })
    .await;
    assert_eq!(full, Sent::Close(Some(1013)));
    // A user, and what is no larger than a buffer, needs no room.
    let token = service.token("ann", std::time::Duration::from_hours(1));
    let mut user = Client::connect(&service.url, Some(&token)).await.expect("connected");
    user.send(&format!("{:60000}", r#"{"type":"ping"}"#)).await;
    assert_eq!(user.frame().await["type"], "pong");
    let mut small = service.client().await;
    small.send(&format!("{:4000}", r#"{"type":"ping"}"#)).await;
    assert_eq!(small.frame().await["type"], "pong");
    // And it is free again when the message is there, or its sender gone.
    first.bytes(&most[30_000..]).await;
    assert!(matches!(first.next().await, Sent::Text(error) if error.contains("malformed-frame")));
    let mut large = service.client().await;
    large.send(&format!("{:60000}", r#"{"type":"ping"}"#)).await;
    assert_eq!(large.frame().await["type"], "pong");
    service.lifecycle.finish().await.expect("an orderly end");
}

#[tokio::test]
async fn fifty_that_never_finish_and_fifty_that_never_read_disturb_nobody() {
    let service = TestService::start_with(push::PushSettings {
        max_queued_bytes: 100_000.try_into().expect("not zero"),
        message_timeout_ms: 1000,
        ..roomy()
    })
    .await;
    let mut quick = service.client().await;
    quick.subscribe(json!(["articles"]), None).await;
    let (mut unfinished, mut unread) = (Vec::new(), Vec::new());
    for _ in 0..RUDE {
        let mut raw = Raw::connect(&service.url).await;
        raw.bytes(&frame(0x81, &vec![b'x'; 65_000])[..64_000]).await;
        unfinished.push(raw);
        let mut raw = Raw::connect(&service.url).await;
        raw.frame(0x81, br#"{"type":"subscribe","topics":["articles"]}"#).await;
        unread.push(raw);
    }
    let content = "x".repeat(25_000);
    // More than the system's buffers between the two take.
    for number in 0..600_u64 {
        service.writer.create("ann", &number.to_string(), &content).await;
        assert_eq!(quick.events(1).await[0]["position"], number + 1);
        if number % 100 == 0 {
            let mut new = service.client().await;
            new.subscribe(json!(["articles"]), Some(number)).await;
            assert_eq!(new.events(1).await[0]["position"], number + 1);
        }
    }
    for raw in &mut unfinished {
        let end = raw.end().await;
        assert!(matches!(end, Sent::Close(Some(1013 | 4504)) | Sent::Reset), "{end:?}");
    }
    for raw in &mut unread {
        let end = raw.end().await;
        assert!(matches!(end, Sent::Close(Some(4008)) | Sent::End | Sent::Reset), "{end:?}");
    }
    service.lifecycle.finish().await.expect("an orderly end");
}
