//! Every subject, stream and header name, in one place.

use std::{fmt, str::FromStr};

use eventsourcing::{AggregateId, OperationId, StreamId};

/// The stream of all events.
pub const EVENTS: &str = "EVENTS";
/// The stream of all dead letters.
pub const DEAD_LETTERS: &str = "DEAD_LETTERS";
/// The stream of commands that wait: a work queue.
pub const COMMANDS: &str = "COMMANDS";
/// All commands that wait.
pub const ALL_COMMANDS: &str = "queue.commands.>";
/// The stream under the key-value bucket of operations.
pub const OPERATIONS: &str = "KV_OPERATIONS";
/// All operations.
pub const ALL_OPERATIONS: &str = "$KV.OPERATIONS.>";
/// The stream under the key-value bucket of snapshots.
pub const SNAPSHOTS: &str = "KV_SNAPSHOTS";
/// All snapshots.
pub const ALL_SNAPSHOTS: &str = "$KV.SNAPSHOTS.>";
/// The stream under the key-value bucket of leases.
pub const LEASES: &str = "KV_LEASES";
/// All leases.
pub const ALL_LEASES: &str = "$KV.LEASES.>";
/// All that the stream of events holds: events and claims.
pub const ALL_EVENTS: &str = "events.>";
/// The events of all aggregates. A claim has one token more.
pub const EVENTS_OF_AGGREGATES: &str = "events.*.*";
/// Where the stream of events tells what it has stored: `live.` and the subject of the event. Only the server publishes there.
pub const LIVE_EVENTS: &str = "live.events.*.*";
/// Where the stream of events says that it has a new identity. No aggregate's events: those have three tokens.
pub const IDENTITY: &str = "events.identity";
/// Where a store that failed is written to, to see whether it takes appends again. Consumers read no such subject.
pub const PROBE: &str = "events.probe";
/// Where nobody listens: whether a service may send at all is asked with it as the last token.
const ABLE: &str = "able";
/// All dead letters.
pub const ALL_DEAD_LETTERS: &str = "dead.>";

/// The subject of the command `verb` of `context`: `commands.article.create`.
#[must_use]
pub fn command(context: &str, verb: &str) -> String {
    format!("commands.{context}.{verb}")
}

/// Under the commands, and nobody's: whether commands may be sent at all.
#[must_use]
pub fn any_command() -> String {
    format!("commands.{ABLE}")
}

/// Under the queries, and nobody's.
#[must_use]
pub fn any_query() -> String {
    format!("queries.{ABLE}")
}

/// Among the events of `context`, and no aggregate's: whether its events may be appended is asked there. Nothing is stored.
#[must_use]
pub fn any_event_of(context: &str) -> String {
    format!("events.{context}.{ABLE}")
}

/// Where the server is asked for messages of `consumer` of `stream`.
#[must_use]
pub fn pull(stream: &str, consumer: &str) -> String {
    format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}")
}

/// Among the acknowledgements of `consumer` of `stream`, and of no message.
#[must_use]
pub fn any_acknowledgement(stream: &str, consumer: &str) -> String {
    format!("$JS.ACK.{stream}.{consumer}.{ABLE}")
}

/// Where the command `verb` of `context` waits: `queue.commands.article.create`.
#[must_use]
pub fn queued_command(context: &str, verb: &str) -> String {
    format!("queue.commands.{context}.{verb}")
}

/// Where all commands of `context` wait: `queue.commands.article.*`.
#[must_use]
pub fn queued_commands_of(context: &str) -> String {
    format!("queue.commands.{context}.*")
}

/// The key of an operation, as a subject: `$KV.OPERATIONS.article.<id>`; the context `*` stands for any.
#[must_use]
pub fn operation(context: &str, id: OperationId) -> String {
    format!("$KV.OPERATIONS.{context}.{id}")
}

/// The key of an aggregate's snapshot, as a subject: `$KV.SNAPSHOTS.article.<id>`.
#[must_use]
pub fn snapshot(stream: &StreamId) -> String {
    format!("$KV.SNAPSHOTS.{stream}")
}

/// The key of the lease `name`, as a subject: `$KV.LEASES.notification`.
#[must_use]
pub fn lease(name: &str) -> String {
    format!("$KV.LEASES.{name}")
}

/// The subject of the query `name` of `context`: `queries.article.get`.
#[must_use]
pub fn query(context: &str, name: &str) -> String {
    format!("queries.{context}.{name}")
}

/// All events of `context`: `events.article.*`.
#[must_use]
pub fn events_of(context: &str) -> String {
    format!("events.{context}.*")
}

/// All events of `context`, each once it is stored: `live.events.article.*`.
#[must_use]
pub fn live_events_of(context: &str) -> String {
    format!("live.events.{context}.*")
}

/// All events of one aggregate, whatever its context: `events.*.<id>`.
#[must_use]
pub fn events_of_aggregate(id: AggregateId) -> String {
    format!("events.*.{id}")
}

/// Where the claims of `kind` to the value with `digest` are: `events.claim.article-slug.<digest>`.
#[must_use]
pub fn claim(kind: &str, digest: uuid::Uuid) -> String {
    format!("events.claim.{kind}.{digest}")
}

/// Where `consumer`'s dead letters from `subject` go: `dead.notification.events.article.<id>`.
#[must_use]
pub fn dead_letter(consumer: &str, subject: &str) -> String {
    format!("dead.{consumer}.{subject}")
}

/// Where `consumer` is told to try dead letters again: `redrive.notification`.
#[must_use]
pub fn redrive(consumer: &str) -> String {
    format!("redrive.{consumer}")
}

/// Whether `name` can stand in a subject by itself, such as a consumer's: letters, digits, `-` and `_`.
#[must_use]
pub fn is_token(name: &str) -> bool {
    let fits = |char: char| char.is_ascii_alphanumeric() || char == '-' || char == '_';
    !name.is_empty() && name.chars().all(fits)
}

/// Where administrators ask `service`: `control.projection`.
#[must_use]
pub fn control(service: &str) -> String {
    format!("control.{service}")
}

/// Whether `subject` is a client's inbox: `_INBOX.…`, or `_INBOX_<user>.…` for one with a prefix of its own.
#[must_use]
pub fn is_inbox(subject: &str) -> bool {
    subject.starts_with("_INBOX.") || subject.starts_with("_INBOX_")
}

/// The subject of one aggregate's events: `events.article.<id>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSubject(pub StreamId);

impl fmt::Display for EventSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "events.{}", self.0)
    }
}

/// The subject is not one of an aggregate's events.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not the subject of an aggregate's events: {0}")]
pub struct SubjectError(String);

impl FromStr for EventSubject {
    type Err = SubjectError;

    fn from_str(subject: &str) -> Result<Self, SubjectError> {
        let error = || SubjectError(subject.to_owned());
        let mut tokens = subject.split('.');
        match (tokens.next(), tokens.next(), tokens.next(), tokens.next()) {
            (Some("events"), Some(context), Some(id), None) if !context.is_empty() => {
                let id: AggregateId = id.parse().map_err(|_| error())?;
                Ok(Self(StreamId::new(context.to_owned(), id)))
            }
            _ => Err(error()),
        }
    }
}

/// Message headers. NATS header names are case-sensitive: these are written as they stand.
pub mod header {
    /// CloudEvents: the event's id.
    pub const CE_ID: &str = "ce-id";
    /// CloudEvents: always `1.0`.
    pub const CE_SPECVERSION: &str = "ce-specversion";
    /// CloudEvents: the event's type, `article.created`.
    pub const CE_TYPE: &str = "ce-type";
    /// CloudEvents: the context that decided it, `/newswire/article`.
    pub const CE_SOURCE: &str = "ce-source";
    /// CloudEvents: the aggregate's id.
    pub const CE_SUBJECT: &str = "ce-subject";
    /// CloudEvents: when it was decided, RFC 3339.
    pub const CE_TIME: &str = "ce-time";
    /// CloudEvents: `application/json`.
    pub const CE_DATACONTENTTYPE: &str = "ce-datacontenttype";
    /// CloudEvents: names the shape of the data, `urn:newswire:article.created:1`.
    pub const CE_DATASCHEMA: &str = "ce-dataschema";
    /// Extension: what it belongs to.
    pub const CE_CORRELATION_ID: &str = "ce-correlationid";
    /// Extension: the command's id.
    pub const CE_CAUSATION_ID: &str = "ce-causationid";
    /// Extension: the command's fingerprint.
    pub const CE_FINGERPRINT: &str = "ce-commandfingerprint";
    /// Extension: the user who sent the command.
    pub const CE_USER_ID: &str = "ce-userid";
    /// Extension: 1, 2, 3 … within the aggregate.
    pub const CE_AGGREGATE_VERSION: &str = "ce-aggregateversion";
    /// Extension: the version of the data's shape.
    pub const CE_SCHEMA_VERSION: &str = "ce-schemaversion";
    /// W3C trace context.
    pub const TRACEPARENT: &str = "traceparent";

    /// Live event: its position in the stream, set by the server.
    pub const SEQUENCE: &str = "Nats-Sequence";
    /// Live event: the subject under which it is stored, set by the server.
    pub const SUBJECT: &str = "Nats-Subject";

    /// The subject whose last sequence is expected; the client library has no constant for it.
    pub const EXPECTED_LAST_SUBJECT_SEQUENCE_SUBJECT: &str =
        "Nats-Expected-Last-Subject-Sequence-Subject";

    /// Snapshot: the stream that its state comes from.
    pub const STREAM: &str = "Newswire-Stream";
    /// Dead letter: why.
    pub const DEAD_REASON: &str = "Newswire-Dead-Reason";
    /// Dead letter: which consumer.
    pub const DEAD_CONSUMER: &str = "Newswire-Dead-Consumer";
    /// Dead letter: the position of the event in its stream.
    pub const DEAD_POSITION: &str = "Newswire-Dead-Position";
    /// Dead letter: the prefix under which the original's `Nats-*` headers are kept.
    pub const ORIGINAL_PREFIX: &str = "Original-";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_subject_is_read_as_it_is_written() {
        let text = "events.article.0190b3a0-6b2a-7c3e-9d57-2a1f0c6b7e42";
        let subject: EventSubject = text.parse().expect("a valid subject");
        assert_eq!(subject.0.context, "article");
        assert_eq!(subject.to_string(), text);
    }

    #[test]
    fn what_would_be_more_than_a_token_is_none() {
        assert!(is_token("notification") && is_token("read-model_2"));
        for text in ["", "*", ">", "a.b", "a b", "ä"] {
            assert!(!is_token(text), "{text}");
        }
    }

    #[test]
    fn other_subjects_are_not_event_subjects() {
        for text in [
            "events.article",
            "events.article.not-a-uuid",
            "events..0190b3a0-6b2a-7c3e-9d57-2a1f0c6b7e42",
            "events.article.0190b3a0-6b2a-7c3e-9d57-2a1f0c6b7e42.more",
            "commands.article.create",
        ] {
            assert!(text.parse::<EventSubject>().is_err(), "{text}");
        }
    }
}
