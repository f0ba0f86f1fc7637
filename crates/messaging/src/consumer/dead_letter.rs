use std::sync::Arc;

use async_nats::{
    HeaderMap,
    header::NATS_MESSAGE_ID,
    jetstream::{message::PublishMessage, publish::PublishAck},
};

use super::metrics::ConsumerMetrics;
use crate::{
    Connection, Throttle, direct_get,
    feed::StreamMessage,
    names::{self, header},
};

/// The longest reason that is kept, in bytes.
const MAX_REASON: usize = 512;

/// A dead letter could not be stored or looked up.
#[derive(Debug, thiserror::Error)]
#[error("{act} failed")]
pub struct DeadLetterError {
    act: &'static str,
    #[source]
    source: async_nats::Error,
}

impl DeadLetterError {
    pub(super) fn new(act: &'static str, source: impl Into<async_nats::Error>) -> Self {
        Self { act, source: source.into() }
    }
}

/// The dead letters of one consumer: messages that it gave up on, and those parked behind them.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    connection: Connection,
    consumer: &'static str,
    metrics: ConsumerMetrics,
    /// Held back: where one event is given up on, all others of its kind may be.
    told: Arc<Throttle>,
}

impl DeadLetters {
    /// The dead letters of `consumer`.
    #[must_use]
    pub fn new(connection: Connection, consumer: &'static str) -> Self {
        Self { connection, consumer, metrics: ConsumerMetrics::new(consumer), told: Arc::default() }
    }

    /// Stores `message` with its raw bytes and headers, and returns when it is stored.
    ///
    /// Only afterwards may the message be terminated. A repeat within two minutes is stored once.
    pub(super) async fn store(
        &self,
        message: &StreamMessage,
        reason: &str,
    ) -> Result<(), DeadLetterError> {
        let id = format!("{}:{}", self.consumer, message.position);
        let stored = self.publish(message, reason, &id).await?;
        // The server also remembers those that were redriven or dropped a moment ago.
        if stored.duplicate && !self.has(stored.sequence).await? {
            let id = format!("{id}:{}", uuid::Uuid::now_v7());
            self.publish(message, reason, &id).await?;
        }
        self.metrics.dead_letter();
        if let Some(held_back) = self.told.pass() {
            tracing::error!(
                consumer = self.consumer,
                subject = message.subject,
                position = message.position,
                reason,
                held_back,
                "event moved to the dead letters (newswire dead list has them all)"
            );
        }
        Ok(())
    }

    async fn publish(
        &self,
        message: &StreamMessage,
        reason: &str,
        id: &str,
    ) -> Result<PublishAck, DeadLetterError> {
        let failed =
            |source: async_nats::Error| DeadLetterError::new("storing a dead letter", source);
        let mut headers = self.headers(message, reason);
        headers.insert(NATS_MESSAGE_ID, id);
        let publish = PublishMessage::build().headers(headers).payload(message.payload.clone());
        let subject = names::dead_letter(self.consumer, &message.subject);
        let sent = self.connection.jetstream.send_publish(subject, publish).await;
        sent.map_err(|error| failed(error.into()))?.await.map_err(|error| failed(error.into()))
    }

    async fn has(&self, sequence: u64) -> Result<bool, DeadLetterError> {
        let found = direct_get::at(&self.connection, names::DEAD_LETTERS, sequence).await;
        let found = found.map_err(|error| DeadLetterError::new("looking for a dead letter", error));
        Ok(found?.is_some())
    }

    /// Stores `message`, and says that it is parked when an earlier one of its aggregate is there.
    pub async fn give_up(
        &self,
        message: &StreamMessage,
        reason: &str,
    ) -> Result<(), DeadLetterError> {
        match self.range(&message.subject).await? {
            Some((first, _)) if first < message.position => self.park(message, first, reason).await,
            _ => self.store(message, reason).await,
        }
    }

    /// Stores `message` behind the dead letter at the position `first`.
    pub(super) async fn park(
        &self,
        message: &StreamMessage,
        first: u64,
        reason: &str,
    ) -> Result<(), DeadLetterError> {
        let reason = format!("parked behind the dead letter at position {first}: {reason}");
        self.store(message, &reason).await?;
        self.metrics.parked();
        Ok(())
    }

    /// The positions of the first and the last dead letter from `subject`.
    ///
    /// Those of a reaction were stored in order, and whatever comes behind the first is parked: so everything between the two is
    /// among them, and everything before them is not. Told by the leader: another server of a cluster may not know the
    /// one that was stored a moment ago, and the next event would pass by.
    pub async fn range(&self, subject: &str) -> Result<Option<(u64, u64)>, DeadLetterError> {
        let failed =
            |source: async_nats::Error| DeadLetterError::new("looking for dead letters", source);
        let subject = names::dead_letter(self.consumer, subject);
        let last = direct_get::last(&self.connection, names::DEAD_LETTERS, &subject).await;
        let Some(last) = last.map_err(|error| failed(error.into()))? else { return Ok(None) };
        let first = direct_get::first(&self.connection, names::DEAD_LETTERS, &subject).await;
        // It may have been redriven in between.
        let Some(first) = first.map_err(|error| failed(error.into()))? else { return Ok(None) };
        let position = |headers: &HeaderMap| {
            let text = headers.get(header::DEAD_POSITION)?;
            text.as_str().parse().ok()
        };
        position(&first.headers)
            .zip(position(&last.headers))
            .map(Some)
            .ok_or_else(|| failed("a dead letter names no position".into()))
    }

    fn headers(&self, message: &StreamMessage, reason: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, values) in message.headers.iter() {
            // NATS would obey the original's expectations and ids instead of keeping them.
            let text: &str = name.as_ref();
            let kept = if text.starts_with("Nats-") {
                format!("{}{text}", header::ORIGINAL_PREFIX)
            } else {
                text.to_owned()
            };
            for value in values {
                headers.append(kept.as_str(), value.as_str());
            }
        }
        headers.insert(header::DEAD_CONSUMER, self.consumer);
        headers.insert(header::DEAD_POSITION, message.position.to_string());
        headers.insert(header::DEAD_REASON, one_line(reason));
        headers
    }
}

/// A reason fit for a header: visible ASCII on one line, bounded.
fn one_line(reason: &str) -> String {
    reason
        .chars()
        .take(MAX_REASON)
        .map(|char| if char.is_ascii_graphic() || char == ' ' { char } else { '?' })
        .collect()
}
