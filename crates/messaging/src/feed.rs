//! The stream in order from a position on, across reconnects and server restarts.
//!
//! It leaves nothing on the server: whoever reads knows the position, so there is nothing to acknowledge.

use std::time::Duration;

use async_nats::{
    HeaderMap,
    header::NATS_TIME_STAMP,
    jetstream::{
        ErrorCode, Message,
        consumer::{
            AckPolicy, DeliverPolicy,
            pull::{Config, Stream},
        },
        stream::{ConsumerError, ConsumerErrorKind},
    },
};
use bytes::Bytes;
use eventsourcing::{RecordedEvent, StreamIdentity};
use futures_util::{FutureExt, StreamExt};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::time::Instant;

use crate::{
    Connection, Mark, Throttle,
    direct_get::{self, PageSize, Stored},
    event_codec::{self, CodecError},
    names,
    permissions::{Asking, NOTHING},
    stream::{StreamWatch, nanoseconds},
};

/// The pause before the stream is opened again after an error. It is also what two readers of one name have in turn.
const REOPEN_PAUSE: Duration = Duration::from_millis(250);
/// How long the server keeps the consumer of a reader that is gone.
const INACTIVE: Duration = Duration::from_secs(30);
/// How many messages the server sends ahead, and about how many bytes.
const AHEAD: usize = 500;
const AHEAD_BYTES: usize = 8 * 1024 * 1024;
/// In place of a count of deliveries, when one of them got lost.
const LOST: u64 = u64::MAX;
/// How often the server gives a sign of life while there is nothing to send.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// The stream could not be read.
#[derive(Debug, thiserror::Error)]
#[error("{act} failed")]
pub struct FeedError {
    act: &'static str,
    #[source]
    source: async_nats::Error,
}

/// The stream is another one than the one that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stream of events is {current} now, not {read}")]
pub struct StreamReplaced {
    /// The one that is read.
    pub read: StreamIdentity,
    /// The one that is there.
    pub current: StreamIdentity,
}

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

/// Opens readers on the stream of all events.
#[derive(Debug, Clone)]
pub struct Feed {
    connection: Connection,
    consumer: String,
    /// Who reads, for people: the same for all processes of a service.
    reader: String,
}

impl Feed {
    /// A feed with one reader: its `consumer` has a name of its own on the server, and whoever opens it last has it.
    #[must_use]
    pub fn new(connection: Connection, consumer: &str) -> Self {
        let (consumer, reader) = (consumer.to_owned(), consumer.to_owned());
        Self { connection, consumer, reader }
    }

    /// A feed for one of the processes of `service`, which all read.
    #[must_use]
    pub fn shared(connection: Connection, service: &str) -> Self {
        let consumer = format!("{service}-{}", uuid::Uuid::now_v7().simple());
        Self { connection, consumer, reader: service.to_owned() }
    }

    /// The position of the last event; 0 when there is none.
    pub async fn last_position(&self) -> Result<u64, FeedError> {
        let stream =
            self.connection.jetstream.get_stream(names::EVENTS).await.map_err(|error| {
                self.connection.note_reading(Err(&error));
                FeedError { act: "asking for the last position", source: error.into() }
            })?;
        Ok(stream.cached_info().state.last_sequence)
    }

    /// Which stream it reads.
    #[must_use]
    pub fn stream(&self) -> &StreamWatch {
        self.connection.stream()
    }

    /// The identity of the stream, and the position of its last event, as they are at this moment.
    pub async fn end(&self) -> Result<(StreamIdentity, u64), FeedError> {
        let failed = |source: async_nats::Error| FeedError { act: "asking for the end", source };
        let found = self.stream().stream().find().await;
        let found = found.map_err(|error| failed(error.into()))?;
        let found = found.ok_or_else(|| failed("there is no stream of events".into()))?;
        Ok((found.identity, found.last))
    }

    /// A reader of every event after the position `after`.
    pub async fn after(&self, after: u64) -> Result<FeedReader, FeedError> {
        let stream = self.connection.stream().known().await;
        self.after_in(stream, after).await
    }

    /// The same in the stream `stream`: when that is not the one that is there, nothing is read from it.
    pub async fn after_in(
        &self,
        stream: StreamIdentity,
        after: u64,
    ) -> Result<FeedReader, FeedError> {
        let connects = self.connection.link().borrow().connects;
        let messages = self.open(after).await?;
        let (feed, position, delivered, opened) = (self.clone(), after, 0, Instant::now());
        let pulls = vec![(names::pull(names::EVENTS, &self.consumer), NOTHING)];
        let asking = self.connection.ask(pulls);
        Ok(FeedReader { feed, stream, position, delivered, messages, connects, opened, asking })
    }

    /// The stored messages after the position `after`: up to `max` of them and about `max_bytes`, at least one unless
    /// there is none.
    ///
    /// It leaves nothing on the server, so it suits readers that come and go.
    pub async fn page(
        &self,
        after: u64,
        max: usize,
        max_bytes: usize,
    ) -> Result<Vec<StreamMessage>, FeedError> {
        let all = names::EVENTS_OF_AGGREGATES;
        let size = PageSize { messages: max, bytes: max_bytes };
        let page = direct_get::read_page(&self.connection, names::EVENTS, all, after + 1, size);
        let page = page.await.map_err(|error| FeedError {
            act: "reading a page of the stream",
            source: error.into(),
        })?;
        Ok(page.into_iter().map(StreamMessage::from).collect())
    }

    /// Opens a consumer that nobody acknowledges to, in place of the one before. It is not async-nats' ordered one, whose
    /// names no permission could list: then it would have to be one for the consumers of everybody.
    async fn open(&self, after: u64) -> Result<Stream, FeedError> {
        let begun = Instant::now();
        let opened = tokio::select! {
            biased;
            opened = self.consume(after) => opened,
            reason = self.connection.consumer_denied(begun, &self.consumer) => {
                Err(FeedError { act: "opening the feed", source: reason.into() })
            }
        };
        let noted = opened.as_ref().map(|_| ()).map_err(|error| &error.source);
        self.connection.note_reading(noted);
        opened
    }

    async fn consume(&self, after: u64) -> Result<Stream, FeedError> {
        let failed = |source: async_nats::Error| FeedError { act: "opening the feed", source };
        let config = Config {
            name: Some(self.consumer.clone()),
            filter_subject: names::EVENTS_OF_AGGREGATES.to_owned(),
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: after + 1 },
            ack_policy: AckPolicy::None,
            inactive_threshold: INACTIVE,
            memory_storage: true,
            num_replicas: 1,
            ..Config::default()
        };
        let jetstream = &self.connection.jetstream;
        let deleted = jetstream.delete_consumer_from_stream(&self.consumer, names::EVENTS).await;
        if let Err(error) = deleted
            && !is_unknown(&error)
        {
            return Err(failed(error.into()));
        }
        let consumer = jetstream.create_consumer_on_stream(config, names::EVENTS).await;
        let consumer = consumer.map_err(|error| failed(error.into()))?;
        let stream = consumer
            .stream()
            .max_messages_per_batch(AHEAD)
            .max_bytes_per_batch(AHEAD_BYTES)
            .heartbeat(HEARTBEAT);
        stream.messages().await.map_err(|error| failed(error.into()))
    }
}

/// Whether there is no such consumer.
pub(crate) fn is_unknown(error: &ConsumerError) -> bool {
    matches!(error.kind(), ConsumerErrorKind::JetStream(error) if error.error_code() == ErrorCode::CONSUMER_NOT_FOUND)
}

/// Reads events in order, each once. It never ends by itself.
pub struct FeedReader {
    feed: Feed,
    stream: StreamIdentity,
    position: u64,
    /// How many messages the consumer has delivered.
    delivered: u64,
    messages: Stream,
    connects: u64,
    /// When the consumer was opened last.
    opened: Instant,
    /// Asks whether messages may be asked for: the server sends what it was asked for before a permission was lost.
    #[expect(dead_code, reason = "it ends with the reader")]
    asking: Asking,
}

impl FeedReader {
    /// The next messages: at least one, at most `max`, whatever is there by now. Safe to cancel.
    ///
    /// # Errors
    /// The stream is another one than the reader was opened on: its positions mean something else.
    pub async fn next_batch(&mut self, max: usize) -> Result<Vec<StreamMessage>, StreamReplaced> {
        let mut batch = vec![self.next().await?];
        while batch.len() < max && self.delivered != LOST {
            match self.messages.next().now_or_never() {
                Some(Some(Ok(message))) => batch.extend(self.take(message)),
                // An error or the end shows again in `next`.
                _ => break,
            }
        }
        Ok(batch)
    }

    /// The stream that it reads.
    #[must_use]
    pub fn stream(&self) -> StreamIdentity {
        self.stream
    }

    /// The next message. Safe to cancel.
    ///
    /// # Errors
    /// See [`next_batch`](Self::next_batch).
    pub async fn next(&mut self) -> Result<StreamMessage, StreamReplaced> {
        let watch = self.feed.connection.stream().clone();
        loop {
            let received = tokio::select! {
                biased;
                current = watch.other_than(self.stream) => {
                    return Err(StreamReplaced { read: self.stream, current });
                }
                received = self.receive() => received,
            };
            match received {
                Ok(Some(message)) => match self.take(message) {
                    Some(message) => return Ok(message),
                    None => continue,
                },
                // A server that restarted has forgotten the consumer; waiting for it to be missed takes long.
                Ok(None) => tracing::info!(position = self.position, "opening the feed again"),
                Err(reason) => {
                    tracing::info!(reason, position = self.position, "opening the feed again");
                    // Somebody else may have opened it, and may go on before he is disturbed.
                    tokio::time::sleep(REOPEN_PAUSE).await;
                }
            }
            // Behind a new connection there may be another stream.
            let current = watch.known().await;
            if current != self.stream {
                return Err(StreamReplaced { read: self.stream, current });
            }
            self.reopen().await;
        }
    }

    /// What the server sends; `None` when the connection is a new one.
    async fn receive(&mut self) -> Result<Option<Message>, String> {
        if self.delivered == LOST {
            return Err("a message was lost on the way".to_owned());
        }
        let connection = &self.feed.connection;
        tokio::select! {
            // A server that restarted has forgotten the consumer; waiting for it to be missed takes long.
            () = connection.renewed(self.connects) => Ok(None),
            reason = connection.consumer_denied(self.opened, &self.feed.consumer) => Err(reason),
            message = self.messages.next() => match message {
                Some(Ok(message)) => Ok(Some(message)),
                Some(Err(error)) => Err(error.to_string()),
                None => Err("it ended".to_owned()),
            },
        }
    }

    async fn reopen(&mut self) {
        static FAILED: Throttle = Throttle::new();
        loop {
            let connects = self.feed.connection.link().borrow().connects;
            self.opened = Instant::now();
            match self.feed.open(self.position).await {
                Ok(messages) => {
                    (self.messages, self.delivered, self.connects) = (messages, 0, connects);
                    if let Some(held_back) = FAILED.over() {
                        tracing::info!(held_back, "the feed is open again");
                    }
                    return;
                }
                Err(error) => {
                    if let Some(held_back) = FAILED.pass() {
                        tracing::warn!(error = %error.source, held_back, "opening the feed failed");
                    }
                    tokio::time::sleep(REOPEN_PAUSE).await;
                }
            }
        }
    }

    /// Moves on to `message`, when it is the next one.
    fn take(&mut self, message: Message) -> Option<StreamMessage> {
        let info = message.info().ok()?;
        let (position, delivered) = (info.stream_sequence, info.consumer_sequence);
        let stored_at = nanoseconds(info.published);
        if delivered != self.delivered + 1 {
            self.delivered = LOST;
            return None;
        }
        let message = message.message;
        let headers = message.headers.unwrap_or_default();
        self.feed.connection.note_step(&self.feed.reader, self.position, position, &headers);
        (self.position, self.delivered) = (position, delivered);
        let mark = Mark { stream: self.stream, position, stored_at };
        self.feed.connection.stream().remember(mark);
        Some(StreamMessage {
            subject: message.subject.into_string(),
            headers,
            payload: message.payload,
            position,
            stored_at,
        })
    }
}
