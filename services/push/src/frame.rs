//! What client and server say to each other: one JSON object a text message.

use contracts::Topic;
use eventsourcing::{RecordedEvent, StreamIdentity};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use service_kit::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// What a client says.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum ClientFrame {
    /// It wants topics; those after the position `since`, when it names one.
    ///
    /// `stream` is the one that `since` is a position of.
    Subscribe { topics: Vec<String>, since: Option<u64>, stream: Option<String> },
    /// It does not want them any more.
    Unsubscribe { topics: Vec<String> },
    /// It says who it is.
    Authenticate { token: String },
    /// It says so again, before its token ends.
    Refresh { token: String },
    /// It wants a sign of life.
    Ping {},
}

impl ClientFrame {
    /// The frame that `text` is; otherwise why it is none.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        json::read(text.as_bytes()).map_err(|error| error.to_string())
    }
}

/// Answers to a client's frames.
pub(crate) enum ServerFrame<'a> {
    /// Its topics by now. Live events come from `position` on; `recovered` says whether it gets all since its cursor.
    Subscribed { topics: Vec<String>, stream: StreamIdentity, position: u64, recovered: bool },
    /// Its topics by now.
    Unsubscribed { topics: Vec<String> },
    /// Who it is, and until when.
    Authenticated { user_id: &'a str, expires_at: i64 },
    /// A frame of it was of no use; nothing was changed.
    Error { code: &'static str, detail: String },
    /// The sign of life.
    Pong,
    /// The server ends the connection; the client may come back with the position of its last event.
    Bye { reason: &'static str, reconnect_after_ms: u64 },
}

impl ServerFrame<'_> {
    /// The frame as text.
    pub(crate) fn text(&self) -> Utf8Bytes {
        let value: Value = match self {
            Self::Subscribed { topics, stream, position, recovered } => serde_json::json!({
                "type": "subscribed", "topics": topics, "stream": stream, "position": position,
                "recovered": recovered,
            }),
            Self::Unsubscribed { topics } => {
                serde_json::json!({ "type": "unsubscribed", "topics": topics })
            }
            Self::Authenticated { user_id, expires_at } => serde_json::json!({
                "type": "authenticated", "user_id": user_id,
                "expires_at": OffsetDateTime::from_unix_timestamp(*expires_at)
                    .ok().and_then(|time| time.format(&Rfc3339).ok()),
            }),
            Self::Error { code, detail } => {
                serde_json::json!({ "type": "error", "code": code, "detail": detail })
            }
            Self::Pong => serde_json::json!({ "type": "pong" }),
            Self::Bye { reason, reconnect_after_ms } => serde_json::json!({
                "type": "bye", "reason": reason, "reconnect_after_ms": reconnect_after_ms,
            }),
        };
        value.to_string().into()
    }
}

/// An event with its `data` on one topic, as text; `None` when its data is not JSON.
pub(crate) fn event(
    event: &RecordedEvent,
    data: &[u8],
    stream: StreamIdentity,
    topic: &Topic,
) -> Option<Utf8Bytes> {
    #[derive(Serialize)]
    struct EventFrame<'a> {
        r#type: &'a str,
        id: eventsourcing::EventId,
        position: u64,
        stream: StreamIdentity,
        topic: String,
        data: &'a RawValue,
        user_id: &'a str,
        timestamp: String,
        aggregate_id: eventsourcing::AggregateId,
        version: u64,
        correlation_id: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        traceparent: Option<&'a str>,
    }
    let metadata = &event.event.metadata;
    let frame = EventFrame {
        r#type: &event.event.event_type,
        id: event.event.id,
        position: event.position,
        stream,
        topic: topic.to_string(),
        data: serde_json::from_slice(data).ok()?,
        user_id: metadata.user_id.as_str(),
        timestamp: event.event.time.format(&Rfc3339).ok()?,
        aggregate_id: event.aggregate_id,
        version: event.event.version,
        correlation_id: metadata.correlation_id.as_str(),
        traceparent: metadata.traceparent.as_deref(),
    };
    serde_json::to_string(&frame).ok().map(Utf8Bytes::from)
}
