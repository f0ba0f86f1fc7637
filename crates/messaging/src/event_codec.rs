//! An event as a message: CloudEvents 1.0, NATS protocol binding, binary mode.
//!
//! The body is the data alone; attributes are lowercase `ce-*` headers, read in any case.
//! Values outside printable ASCII are percent-encoded, as the binding demands.

use async_nats::HeaderMap;
use bytes::Bytes;
use eventsourcing::{Metadata, NewEvent, RecordedEvent, StreamId};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::names::{EventSubject, header};

/// What the binding wants encoded beside non-ASCII: controls, space, double quote, percent.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%');

/// A message is not an event of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The subject is not an aggregate's.
    #[error("unexpected subject {0}")]
    Subject(String),
    /// A header is missing.
    #[error("header {0} is missing")]
    Missing(&'static str),
    /// A header cannot be read.
    #[error("header {0} cannot be read")]
    Malformed(&'static str),
}

/// The headers of `event`, an event of `stream`.
#[must_use]
pub fn headers(stream: &StreamId, event: &NewEvent) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut set = |name: &'static str, value: &str| {
        headers.insert(name, utf8_percent_encode(value, ENCODED).to_string());
    };
    set(header::CE_SPECVERSION, "1.0");
    set(header::CE_ID, &event.id.to_string());
    set(header::CE_TYPE, &event.event_type);
    set(header::CE_SOURCE, &format!("/newswire/{}", stream.context));
    set(header::CE_SUBJECT, &stream.aggregate_id.to_string());
    set(header::CE_TIME, &event.time.format(&Rfc3339).unwrap_or_default());
    set(header::CE_DATACONTENTTYPE, "application/json");
    set(
        header::CE_DATASCHEMA,
        &format!("urn:newswire:{}:{}", event.event_type, event.schema_version),
    );
    set(header::CE_CORRELATION_ID, event.metadata.correlation_id.as_str());
    set(header::CE_CAUSATION_ID, &event.metadata.causation_id.to_string());
    set(header::CE_FINGERPRINT, &event.metadata.fingerprint.to_string());
    set(header::CE_USER_ID, event.metadata.user_id.as_str());
    set(header::CE_AGGREGATE_VERSION, &event.version.to_string());
    set(header::CE_SCHEMA_VERSION, &event.schema_version.to_string());
    if let Some(traceparent) = &event.metadata.traceparent {
        set(header::TRACEPARENT, traceparent);
    }
    headers
}

/// Reads the message at `position` of the stream back as an event.
///
/// # Errors
/// The subject or a header is not what [`headers`] writes. The data is not looked at.
pub fn decode(
    subject: &str,
    headers: &HeaderMap,
    payload: &Bytes,
    position: u64,
) -> Result<RecordedEvent, CodecError> {
    let EventSubject(stream) =
        subject.parse().map_err(|_| CodecError::Subject(subject.to_owned()))?;
    let fields = Fields(headers);
    let time = fields.text(header::CE_TIME)?;
    Ok(RecordedEvent {
        context: stream.context.into_owned(),
        aggregate_id: stream.aggregate_id,
        position,
        event: NewEvent {
            id: fields.uuid(header::CE_ID)?.into(),
            event_type: fields.text(header::CE_TYPE)?,
            schema_version: fields.parsed(header::CE_SCHEMA_VERSION)?,
            version: fields.parsed(header::CE_AGGREGATE_VERSION)?,
            time: OffsetDateTime::parse(&time, &Rfc3339)
                .map_err(|_| CodecError::Malformed(header::CE_TIME))?,
            metadata: Metadata {
                correlation_id: fields.parsed(header::CE_CORRELATION_ID)?,
                causation_id: fields.uuid(header::CE_CAUSATION_ID)?.into(),
                fingerprint: fields.uuid(header::CE_FINGERPRINT)?.into(),
                user_id: fields.parsed(header::CE_USER_ID)?,
                traceparent: fields.text(header::TRACEPARENT).ok(),
            },
            data: payload.to_vec(),
        },
    })
}

struct Fields<'a>(&'a HeaderMap);

impl Fields<'_> {
    fn text(&self, name: &'static str) -> Result<String, CodecError> {
        let value = match self.0.get(name) {
            Some(value) => value,
            // Another publisher may write another case; ours is the fast path.
            None => self
                .0
                .iter()
                .find(|(key, _)| AsRef::<str>::as_ref(key).eq_ignore_ascii_case(name))
                .and_then(|(_, values)| values.first())
                .ok_or(CodecError::Missing(name))?,
        };
        percent_decode_str(value.as_str())
            .decode_utf8()
            .map(std::borrow::Cow::into_owned)
            .map_err(|_| CodecError::Malformed(name))
    }

    fn parsed<T: std::str::FromStr>(&self, name: &'static str) -> Result<T, CodecError> {
        self.text(name)?.parse().map_err(|_| CodecError::Malformed(name))
    }

    fn uuid(&self, name: &'static str) -> Result<uuid::Uuid, CodecError> {
        self.parsed(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eventsourcing::{AggregateId, CommandId, Fingerprint};

    fn example() -> (StreamId, NewEvent) {
        let command = CommandId::generate();
        let event = NewEvent {
            id: command.event_id(command.creates("article"), 0),
            event_type: "article.created".to_owned(),
            schema_version: 1,
            version: 7,
            time: time::macros::datetime!(2026-01-02 03:04:05.6 UTC),
            metadata: Metadata {
                correlation_id: "100%\"strange\"".parse().expect("visible ASCII"),
                causation_id: command,
                fingerprint: Fingerprint::of("x", b""),
                user_id: "ann".parse().expect("a valid user id"),
                traceparent: None,
            },
            data: br#"{"title":"T"}"#.to_vec(),
        };
        (StreamId::new("article", AggregateId::from(uuid::Uuid::now_v7())), event)
    }

    fn read(stream: &StreamId, headers: &HeaderMap) -> Result<RecordedEvent, CodecError> {
        let subject = EventSubject(stream.clone()).to_string();
        decode(&subject, headers, &Bytes::from_static(br#"{"title":"T"}"#), 42)
    }

    #[test]
    fn an_event_is_read_as_it_is_written() {
        let (stream, event) = example();
        let read = read(&stream, &headers(&stream, &event)).expect("readable");
        assert_eq!((read.position, read.aggregate_id), (42, stream.aggregate_id));
        assert_eq!(read.event, event);
    }

    #[test]
    fn header_names_are_read_in_any_case() {
        let (stream, event) = example();
        let mut upper = HeaderMap::new();
        for (name, values) in headers(&stream, &event).iter() {
            upper.insert(name.to_string().to_uppercase(), values[0].clone());
        }
        assert_eq!(read(&stream, &upper).expect("readable").event, event);
    }

    #[test]
    fn a_missing_or_broken_header_is_named() {
        let (stream, event) = example();
        let mut broken = headers(&stream, &event);
        broken.insert(header::CE_AGGREGATE_VERSION, "-1");
        assert_eq!(
            read(&stream, &broken),
            Err(CodecError::Malformed(header::CE_AGGREGATE_VERSION))
        );
        assert_eq!(read(&stream, &HeaderMap::new()), Err(CodecError::Missing(header::CE_TIME)));
    }
}
