//! The `EventStore` on JetStream: one subject an aggregate, appended to with an expectation.

use std::{sync::Arc, time::Duration};

use async_nats::{
    header::{NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, NATS_EXPECTED_STREAM, NATS_MESSAGE_ID},
    jetstream::{
        context::{PublishError, PublishErrorKind},
        message::PublishMessage,
    },
};
use bytes::Bytes;
use eventsourcing::{
    AppendError, Commit, EventStore, Head, LoadError, NewEvent, RecordedEvent, StoreError, StreamId,
};

use crate::{
    Appends, Connection, Mark, StreamWatch, appends,
    batch::{self, Batches},
    claims,
    consumer::Backoff,
    direct_get::{self, PageSize, Stored},
    event_codec,
    names::{self, EventSubject, header},
    publish::{Outgoing, is_conflict},
};

/// Another process writes the same aggregate: a moment is enough for it to be done.
const CONFLICT_BACKOFF: Backoff =
    Backoff { base: Duration::from_millis(2), max: Duration::from_millis(100) };

/// What is read at once of a history that may be long.
const PAGE: PageSize = PageSize { messages: 64, bytes: 1024 * 1024 };

/// Keeps events in the stream `EVENTS`.
///
/// On a single node the check runs before deduplication: our own event, stored before its answer was lost,
/// shows as a conflict. Reading the aggregate back tells the two apart, and the executor does so.
#[derive(Debug, Clone)]
pub struct JetStreamEventStore {
    connection: Connection,
    batches: Batches,
    message_ids: bool,
    appends: Arc<Appends>,
    refuses: bool,
}

impl JetStreamEventStore {
    /// A store over `connection`.
    #[must_use]
    pub fn new(connection: Connection) -> Self {
        let appends = Appends::new(connection.clone());
        let (message_ids, refuses) = (true, true);
        Self { connection, batches: Batches::default(), message_ids, appends, refuses }
    }

    /// Tries each append, also while the store takes none. For whoever has facts to store and goes on trying.
    #[must_use]
    pub fn persistent(self) -> Self {
        Self { refuses: false, ..self }
    }

    /// Which stream it is, at any moment.
    #[must_use]
    pub fn stream(&self) -> &StreamWatch {
        self.connection.stream()
    }

    /// Whether the store takes appends now.
    #[must_use]
    pub fn appends(&self) -> &Arc<Appends> {
        &self.appends
    }

    /// Leaves it to the expectation alone to tell a repeat.
    ///
    /// For events that are facts already, in a store that does not mind one id in two aggregates: the server
    /// would take the second for a duplicate.
    #[must_use]
    pub fn without_message_ids(self) -> Self {
        Self { message_ids: false, ..self }
    }
}

impl JetStreamEventStore {
    /// Whether `head` is an event of `subject`.
    async fn has(&self, subject: &str, head: Head) -> Result<bool, StoreError> {
        let found = direct_get::at(&self.connection, names::EVENTS, head.position).await?;
        let Some(found) = found.filter(|found| found.subject.as_str() == subject) else {
            return Ok(false);
        };
        let event = decode(subject, &found.headers, &found.payload, found.sequence)?;
        Ok(Head::from(&event) == head)
    }

    async fn last_of(&self, subject: &str) -> Result<Option<RecordedEvent>, StoreError> {
        let last = direct_get::last(&self.connection, names::EVENTS, subject).await?;
        last.map(|last| decode(subject, &last.headers, &last.payload, last.sequence)).transpose()
    }

    /// What `subject` has after `after`, as far as one look at its last event tells.
    async fn missing(&self, subject: &str, after: Head) -> Result<Missing, LoadError> {
        let Some(last) = self.last_of(subject).await? else {
            return nothing_after(after, Head::default());
        };
        if last.position <= after.position {
            return nothing_after(after, Head::from(&last));
        }
        if after != Head::default() && !self.has(subject, after).await? {
            return Err(LoadError::UnknownHead);
        }
        // Versions are dense: when the last one is the next one, it is all that is missing.
        if last.event.version == after.version + 1 {
            return Ok(Missing::Known(vec![last]));
        }
        Ok(Missing::UpTo(last.position))
    }
}

/// What is after some event.
enum Missing {
    /// These.
    Known(Vec<RecordedEvent>),
    /// Several, of which the last has this position.
    UpTo(u64),
}

impl EventStore for JetStreamEventStore {
    async fn load(&self, stream: &StreamId, after: Head) -> Result<Vec<RecordedEvent>, LoadError> {
        let subject = EventSubject(stream.clone()).to_string();
        match self.missing(&subject, after).await? {
            Missing::Known(events) => Ok(events),
            Missing::UpTo(last) => {
                let (stream, from) = (names::EVENTS, after.position + 1);
                let all = direct_get::read(&self.connection, stream, &subject, from, last).await?;
                decode_all(&subject, &all)
            }
        }
    }

    async fn page(&self, stream: &StreamId, after: Head) -> Result<Vec<RecordedEvent>, LoadError> {
        let subject = EventSubject(stream.clone()).to_string();
        if let Missing::Known(events) = self.missing(&subject, after).await? {
            return Ok(events);
        }
        let (stream, from) = (names::EVENTS, after.position + 1);
        let page = direct_get::read_page(&self.connection, stream, &subject, from, PAGE).await?;
        if page.is_empty() {
            // A replica that has not got there yet.
            return Err(StoreError::new("reading a page of events", "the next is missing").into());
        }
        decode_all(&subject, &page)
    }

    async fn last(&self, stream: &StreamId) -> Result<Option<RecordedEvent>, LoadError> {
        let subject = EventSubject(stream.clone()).to_string();
        Ok(self.last_of(&subject).await?)
    }

    async fn append(
        &self,
        stream: &StreamId,
        expected: Head,
        commit: Commit,
    ) -> Result<Head, AppendError> {
        let Some(version) = commit.events.last().map(|event| event.version) else {
            return Ok(expected);
        };
        if self.refuses {
            self.appends.check()?;
        }
        // Claims first: the position of a commit is the one of its last event.
        let mut messages = claims::messages(&self.connection, stream, &commit.claims).await?;
        messages.extend(self.outgoing(stream, expected, commit.events));
        let subject = EventSubject(stream.clone()).to_string();
        let watch = self.connection.stream();
        let into = watch.current();
        let position = self.appends.observe(&subject, self.store(messages)).await?;
        if let Some(stream) = into {
            // The acknowledgement does not tell the time.
            watch.remember(Mark { stream, position, stored_at: 0 });
        }
        Ok(Head { version, position })
    }

    async fn pause(&self, attempt: u32) {
        tokio::time::sleep(CONFLICT_BACKOFF.pause(attempt)).await;
    }
}

/// The answer when the last event is not after `after`: it must be `after` then.
fn nothing_after(after: Head, last: Head) -> Result<Missing, LoadError> {
    if after == last { Ok(Missing::Known(Vec::new())) } else { Err(LoadError::UnknownHead) }
}

impl JetStreamEventStore {
    /// Stores `messages`, all or none; tells the position of the last.
    async fn store(&self, mut messages: Vec<Outgoing>) -> Result<u64, AppendError> {
        if messages.len() == 1 {
            publish(&self.connection, messages.remove(0)).await
        } else {
            batch::publish(&self.connection, &self.batches, &messages).await
        }
    }

    /// The messages of an append. The expectation stands on the first: inside a batch the rest follow it.
    fn outgoing(&self, stream: &StreamId, expected: Head, events: Vec<NewEvent>) -> Vec<Outgoing> {
        let subject = EventSubject(stream.clone()).to_string();
        let message = |(index, event): (usize, NewEvent)| {
            let mut headers = event_codec::headers(stream, &event);
            if self.message_ids {
                headers.insert(NATS_MESSAGE_ID, event.id.to_string());
            }
            headers.insert(NATS_EXPECTED_STREAM, names::EVENTS);
            if index == 0 {
                headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, expected.position.to_string());
                headers.insert(header::EXPECTED_LAST_SUBJECT_SEQUENCE_SUBJECT, subject.as_str());
            }
            Outgoing { subject: subject.clone(), headers, payload: Bytes::from(event.data) }
        };
        events.into_iter().enumerate().map(message).collect()
    }
}

async fn publish(connection: &Connection, message: Outgoing) -> Result<u64, AppendError> {
    let publish = PublishMessage::build().headers(message.headers).payload(message.payload);
    let ack =
        connection.jetstream.send_publish(message.subject, publish).await.map_err(publish_error)?;
    match ack.await {
        // An event with this id is in the stream already, here or elsewhere: reading back tells.
        Ok(ack) if ack.duplicate => Err(AppendError::Conflict),
        Ok(ack) => Ok(ack.sequence),
        Err(error) => Err(publish_error(error)),
    }
}

/// What a failed publish means for its event: not stored, or nobody knows.
pub(crate) fn publish_error(error: PublishError) -> AppendError {
    let code = appends::code(&error);
    let act = "publishing to a stream";
    match (error.kind(), code) {
        (_, Some(code)) if is_conflict(code) => AppendError::Conflict,
        // The server answered with an error, or nobody took the message.
        (PublishErrorKind::StreamNotFound | PublishErrorKind::MaxPayloadExceeded, _)
        | (_, Some(_)) => AppendError::Failed(StoreError::new(act, error)),
        _ => AppendError::Unknown(StoreError::new(act, error)),
    }
}

fn decode_all(subject: &str, stored: &[Stored]) -> Result<Vec<RecordedEvent>, LoadError> {
    let events = stored.iter().map(|stored| {
        let headers = stored.message.headers.clone().unwrap_or_default();
        decode(subject, &headers, &stored.message.payload, stored.position)
    });
    Ok(events.collect::<Result<_, _>>()?)
}

fn decode(
    subject: &str,
    headers: &async_nats::HeaderMap,
    payload: &Bytes,
    position: u64,
) -> Result<RecordedEvent, StoreError> {
    event_codec::decode(subject, headers, payload, position)
        .map_err(|error| StoreError::new("reading a stored event", error))
}
