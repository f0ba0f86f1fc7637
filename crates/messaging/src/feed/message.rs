//! A message of a stream.

use async_nats::{HeaderMap, header::NATS_TIME_STAMP};
use bytes::Bytes;
use eventsourcing::RecordedEvent;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    direct_get::Stored,
    event_codec::{self, CodecError},
    stream::nanoseconds,
};

/// A message of a stream, before anybody has looked into it.
#[derive(Debug, Clone)]
pub struct StreamMessage {
    /// The subject that it was stored under.
    pub subject: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub payload: Bytes,
    /// Its position in the stream.
    pub position: u64,
    /// When the server stored it there, in nanoseconds of Unix time; 0 when that is not known.
    pub stored_at: i64,
}

impl StreamMessage {
    /// Reads it as an event.
    ///
    /// # Errors
    /// It is none of ours.
    pub fn event(&self) -> Result<RecordedEvent, CodecError> {
        event_codec::decode(&self.subject, &self.headers, &self.payload, self.position)
    }
}

impl From<Stored> for StreamMessage {
    fn from(stored: Stored) -> Self {
        let time = stored.message.headers.as_ref().and_then(|headers| {
            OffsetDateTime::parse(headers.get(NATS_TIME_STAMP)?.as_str(), &Rfc3339).ok()
        });
        Self {
            stored_at: time.map(nanoseconds).unwrap_or_default(),
            subject: stored.subject,
            headers: stored.message.headers.unwrap_or_default(),
            payload: stored.message.payload,
            position: stored.position,
        }
    }
}
