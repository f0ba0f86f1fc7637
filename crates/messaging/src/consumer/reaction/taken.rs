//! A message in hand, and its acknowledgement.

use async_nats::jetstream::{AckKind, Message};
use time::OffsetDateTime;

use crate::{Throttle, feed::StreamMessage, stream::nanoseconds};

/// Held back: each message may be the reason for it.
static UNACKNOWLEDGED: Throttle = Throttle::new();

/// A message in hand: as the server knows it, and as we do.
pub(super) struct Taken {
    pub(super) message: Message,
    pub(super) stored: StreamMessage,
}

impl Taken {
    /// The subject of its aggregate.
    pub fn subject(&self) -> &str {
        &self.stored.subject
    }
}

/// The message as it is in the stream, and when it got there.
pub(super) fn stored(message: &Message) -> Option<(StreamMessage, OffsetDateTime)> {
    let info = message.info().ok()?;
    let stored = StreamMessage {
        subject: message.subject.to_string(),
        headers: message.headers.clone().unwrap_or_default(),
        payload: message.payload.clone(),
        position: info.stream_sequence,
        stored_at: nanoseconds(info.published),
    };
    Some((stored, info.published))
}

/// An acknowledgement that gets lost means another delivery, which the reaction's own record answers.
pub(super) async fn acknowledge(message: &Message, kind: AckKind) {
    if let Err(error) = message.ack_with(kind).await
        && let Some(held_back) = UNACKNOWLEDGED.pass()
    {
        tracing::warn!(%error, held_back, "sending an acknowledgement failed");
    }
}
