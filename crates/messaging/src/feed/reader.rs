//! Reading on, across reconnects and server restarts.

use async_nats::jetstream::{Message, consumer::pull::Stream};
use eventsourcing::StreamIdentity;
use futures_util::{FutureExt, StreamExt};
use tokio::time::Instant;

use super::{Feed, REOPEN_PAUSE, StreamMessage, StreamReplaced};
use crate::{Mark, Throttle, permissions::Asking, stream::nanoseconds};

/// In place of a count of deliveries, when one of them got lost.
const LOST: u64 = u64::MAX;

/// Reads events in order, each once. It never ends by itself.
pub struct FeedReader {
    pub(super) feed: Feed,
    pub(super) stream: StreamIdentity,
    pub(super) position: u64,
    /// How many messages the consumer has delivered.
    pub(super) delivered: u64,
    pub(super) messages: Stream,
    pub(super) connects: u64,
    /// When the consumer was opened last.
    pub(super) opened: Instant,
    /// Asks whether messages may be asked for: the server sends what it was asked for before a permission was lost.
    #[expect(dead_code, reason = "it ends with the reader")]
    pub(super) asking: Asking,
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
