//! The stream in order from a position on, across reconnects and server restarts.
//!
//! It leaves nothing on the server: whoever reads knows the position, so there is nothing to acknowledge.

mod message;
mod reader;

use std::time::Duration;

use async_nats::jetstream::{
    ErrorCode,
    consumer::{
        AckPolicy, DeliverPolicy,
        pull::{Config, Stream},
    },
    stream::{ConsumerError, ConsumerErrorKind},
};
use eventsourcing::StreamIdentity;
use tokio::time::Instant;

pub use self::{message::StreamMessage, reader::FeedReader};
use crate::{
    Connection,
    direct_get::{self, PageSize},
    names,
    permissions::NOTHING,
    stream::StreamWatch,
};

/// The pause before the stream is opened again after an error. It is also what two readers of one name have in turn.
const REOPEN_PAUSE: Duration = Duration::from_millis(250);
/// How long the server keeps the consumer of a reader that is gone.
const INACTIVE: Duration = Duration::from_secs(30);
/// How many messages the server sends ahead, and about how many bytes.
const AHEAD: usize = 500;
const AHEAD_BYTES: usize = 8 * 1024 * 1024;
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
