//! The stream in order from a position on, across reconnects and server restarts.
//!
//! It leaves nothing on the server: whoever reads knows the position, so there is nothing to acknowledge.

use std::time::Duration;

use async_nats::{
    HeaderMap,
    jetstream::consumer::{
        DeliverPolicy,
        pull::{Ordered, OrderedConfig},
    },
};
use bytes::Bytes;
use eventsourcing::RecordedEvent;
use futures_util::{FutureExt, StreamExt};

use crate::{
    Connection,
    direct_get::{self, PageSize, Stored},
    event_codec::{self, CodecError},
    names,
};

/// The pause before the stream is opened again after an error.
const REOPEN_PAUSE: Duration = Duration::from_millis(250);

/// The stream could not be read.
#[derive(Debug, thiserror::Error)]
#[error("{act} failed")]
pub struct FeedError {
    act: &'static str,
    #[source]
    source: async_nats::Error,
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
        Self {
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
    name: String,
}

impl Feed {
    /// A feed for the service `name`, which shows in the name of its consumers on the server.
    #[must_use]
    pub fn new(connection: Connection, name: &str) -> Self {
        Self { connection, name: name.to_owned() }
    }

    /// The position of the last event; 0 when there is none.
    pub async fn last_position(&self) -> Result<u64, FeedError> {
        let stream =
            self.connection.jetstream.get_stream(names::EVENTS).await.map_err(|error| {
                FeedError { act: "asking for the last position", source: error.into() }
            })?;
        Ok(stream.cached_info().state.last_sequence)
    }

    /// A reader of every event after the position `after`.
    pub async fn after(&self, after: u64) -> Result<FeedReader, FeedError> {
        let connects = self.connection.link().borrow().connects;
        let messages = self.open(after).await?;
        Ok(FeedReader { feed: self.clone(), position: after, messages, connects })
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

    async fn open(&self, after: u64) -> Result<Ordered, FeedError> {
        let config = OrderedConfig {
            name: Some(format!("{}-{}", self.name, uuid::Uuid::now_v7().simple())),
            filter_subject: names::EVENTS_OF_AGGREGATES.to_owned(),
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: after + 1 },
            ..OrderedConfig::default()
        };
        let failed = |source: async_nats::Error| FeedError { act: "opening the feed", source };
        let consumer = self
            .connection
            .jetstream
            .create_consumer_on_stream(config, names::EVENTS)
            .await
            .map_err(|error| failed(error.into()))?;
        consumer.messages().await.map_err(|error| failed(error.into()))
    }
}

/// Reads events in order, each once. It never ends by itself.
pub struct FeedReader {
    feed: Feed,
    position: u64,
    messages: Ordered,
    connects: u64,
}

impl FeedReader {
    /// The next messages: at least one, at most `max`, whatever is there by now. Safe to cancel.
    pub async fn next_batch(&mut self, max: usize) -> Vec<StreamMessage> {
        let mut batch = vec![self.next().await];
        while batch.len() < max {
            match self.messages.next().now_or_never() {
                Some(Some(Ok(message))) => batch.extend(self.take(&message)),
                // An error or the end shows again in `next`.
                _ => break,
            }
        }
        batch
    }

    /// The next message. Safe to cancel.
    pub async fn next(&mut self) -> StreamMessage {
        loop {
            let connects = self.connects;
            let problem = tokio::select! {
                // A server that restarted has forgotten the consumer; waiting for it to be missed takes long.
                () = self.feed.connection.renewed(connects) => "the connection is a new one".to_owned(),
                message = self.messages.next() => match message {
                    Some(Ok(message)) => match self.take(&message) {
                        Some(message) => return message,
                        None => continue,
                    },
                    Some(Err(error)) => error.to_string(),
                    None => "it ended".to_owned(),
                },
            };
            tracing::info!(reason = problem, position = self.position, "opening the feed again");
            self.reopen().await;
        }
    }

    async fn reopen(&mut self) {
        loop {
            let connects = self.feed.connection.link().borrow().connects;
            match self.feed.open(self.position).await {
                Ok(messages) => {
                    (self.messages, self.connects) = (messages, connects);
                    return;
                }
                Err(error) => {
                    tracing::warn!(error = %error.source, "opening the feed failed");
                    tokio::time::sleep(REOPEN_PAUSE).await;
                }
            }
        }
    }

    /// Moves on to `message`, unless the reader has been there.
    fn take(&mut self, message: &async_nats::jetstream::Message) -> Option<StreamMessage> {
        let position = message.info().ok()?.stream_sequence;
        if position <= self.position {
            return None;
        }
        self.position = position;
        Some(StreamMessage {
            subject: message.subject.to_string(),
            headers: message.headers.clone().unwrap_or_default(),
            payload: message.payload.clone(),
            position,
        })
    }
}
