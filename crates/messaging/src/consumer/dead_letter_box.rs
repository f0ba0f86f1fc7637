use std::collections::BTreeSet;

use async_nats::{
    HeaderMap,
    header::NATS_TIME_STAMP,
    jetstream::{
        message::StreamMessage,
        stream::{DeleteMessageError, DeleteMessageErrorKind},
    },
};
use bytes::Bytes;
use eventsourcing::AggregateId;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::DeadLetterError;
use crate::{
    Connection,
    direct_get::{self, PageSize, Stored},
    feed,
    names::{self, header},
};

/// How many dead letters one request reads.
const PAGE: PageSize = PageSize { messages: 200, bytes: 4 * 1024 * 1024 };

/// A message that a consumer gave up on, or that is parked behind one.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// Its own position, in the stream of dead letters: what it is called by.
    pub sequence: u64,
    /// Who gave up.
    pub consumer: String,
    /// Why.
    pub reason: String,
    /// When.
    pub time: Option<OffsetDateTime>,
    /// The message as it was, subject, headers, body and position.
    pub message: feed::StreamMessage,
}

impl DeadLetter {
    /// The aggregate of its event, when its subject names one.
    #[must_use]
    pub fn aggregate_id(&self) -> Option<AggregateId> {
        self.message.subject.rsplit('.').next()?.parse().ok()
    }

    /// One that lacks something is a dead letter all the same: whoever passed over it would break the order.
    fn read(stored: Stored) -> Self {
        let headers = stored.message.headers.unwrap_or_default();
        let time = headers.get(NATS_TIME_STAMP);
        let time = time.and_then(|time| OffsetDateTime::parse(time.as_str(), &Rfc3339).ok());
        Self::new(&stored.subject, stored.position, time, &headers, stored.message.payload)
    }

    fn new(
        subject: &str,
        sequence: u64,
        time: Option<OffsetDateTime>,
        headers: &HeaderMap,
        payload: Bytes,
    ) -> Self {
        let text = |name: &str| headers.get(name).map(ToString::to_string);
        let mut tokens = subject.splitn(3, '.').skip(1);
        let (consumer, subject) =
            (tokens.next().unwrap_or_default(), tokens.next().unwrap_or_default());
        let position = text(header::DEAD_POSITION).and_then(|text| text.parse().ok());
        Self {
            sequence,
            consumer: consumer.to_owned(),
            reason: text(header::DEAD_REASON).unwrap_or_else(|| "no reason was given".to_owned()),
            time,
            message: feed::StreamMessage {
                subject: subject.to_owned(),
                headers: original(headers),
                payload,
                position: position.unwrap_or_default(),
                stored_at: 0,
            },
        }
    }
}

/// The headers that the message had before it was a dead letter.
fn original(headers: &HeaderMap) -> HeaderMap {
    let mut original = HeaderMap::new();
    for (name, values) in headers.iter() {
        let name: &str = name.as_ref();
        let kept = match name.strip_prefix(header::ORIGINAL_PREFIX) {
            Some(kept) => kept,
            None if name.starts_with("Newswire-Dead-") || name.starts_with("Nats-") => continue,
            None => name,
        };
        for value in values {
            original.append(kept, value.as_str());
        }
    }
    original
}

/// The dead letters of all consumers, to be looked at and taken out.
#[derive(Debug, Clone)]
pub struct DeadLetterBox {
    connection: Connection,
}

impl DeadLetterBox {
    /// The box behind `connection`.
    #[must_use]
    pub fn new(connection: Connection) -> Self {
        Self { connection }
    }

    /// A page of dead letters behind the sequence `after`, oldest first; empty at the end. `consumer` limits it to one.
    pub async fn page(
        &self,
        consumer: Option<&str>,
        after: u64,
    ) -> Result<Vec<DeadLetter>, DeadLetterError> {
        self.page_of(consumer, None, after).await
    }

    /// The same of one `aggregate`, when one is named.
    pub(super) async fn page_of(
        &self,
        consumer: Option<&str>,
        aggregate: Option<AggregateId>,
        after: u64,
    ) -> Result<Vec<DeadLetter>, DeadLetterError> {
        let from = aggregate.map_or_else(|| ">".to_owned(), names::events_of_aggregate);
        self.read(&names::dead_letter(consumer.unwrap_or("*"), &from), after, PAGE).await
    }

    /// The dead letter `sequence`, as the leader has it: another server of a cluster may not know it yet.
    pub async fn get(&self, sequence: u64) -> Result<Option<DeadLetter>, DeadLetterError> {
        if sequence == 0 {
            return Ok(None);
        }
        let found = direct_get::at(&self.connection, names::DEAD_LETTERS, sequence).await;
        let found = found.map_err(|error| DeadLetterError::new("reading a dead letter", error))?;
        Ok(found.map(|found| {
            let StreamMessage { subject, sequence, headers, payload, time, .. } = found;
            DeadLetter::new(&subject, sequence, Some(time), &headers, payload)
        }))
    }

    /// The sequences of up to `max` dead letters of `consumer` from `subject`, those of the oldest events, oldest
    /// first: those of a rebuild may come behind.
    pub async fn oldest(
        &self,
        consumer: &str,
        subject: &str,
        max: usize,
    ) -> Result<Vec<u64>, DeadLetterError> {
        let (subject, mut after) = (names::dead_letter(consumer, subject), 0);
        let mut oldest = BTreeSet::new();
        loop {
            let page = self.read(&subject, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.sequence;
            oldest.extend(page.iter().map(|letter| (letter.message.position, letter.sequence)));
            while oldest.len() > max {
                oldest.pop_last();
            }
        }
        Ok(oldest.into_iter().map(|(_, sequence)| sequence).collect())
    }

    /// The positions of all events from `subject` among the dead letters of `consumer`.
    pub async fn positions(
        &self,
        consumer: &str,
        subject: &str,
    ) -> Result<BTreeSet<u64>, DeadLetterError> {
        let (subject, mut after) = (names::dead_letter(consumer, subject), 0);
        let mut positions = BTreeSet::new();
        loop {
            let page = self.read(&subject, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(positions) };
            after = last.sequence;
            positions.extend(page.iter().map(|letter| letter.message.position));
        }
    }

    /// Takes the dead letter `sequence` out, for good; says whether it was there.
    pub async fn remove(&self, sequence: u64) -> Result<bool, DeadLetterError> {
        let failed =
            |source: async_nats::Error| DeadLetterError::new("removing a dead letter", source);
        let jetstream = &self.connection.jetstream;
        let stream = jetstream.get_stream_no_info(names::DEAD_LETTERS).await;
        let stream = stream.map_err(|error| failed(error.into()))?;
        match stream.delete_message(sequence).await {
            Ok(removed) => Ok(removed),
            // The server has one code for all that keeps it from deleting.
            Err(error) if is_refused(&error) && self.get(sequence).await?.is_none() => Ok(false),
            Err(error) => Err(failed(error.into())),
        }
    }

    async fn read(
        &self,
        subject: &str,
        after: u64,
        size: PageSize,
    ) -> Result<Vec<DeadLetter>, DeadLetterError> {
        let stream = names::DEAD_LETTERS;
        let from = after.saturating_add(1);
        let page = direct_get::read_page(&self.connection, stream, subject, from, size).await;
        let page = page.map_err(|error| DeadLetterError::new("reading dead letters", error))?;
        Ok(page.into_iter().map(DeadLetter::read).collect())
    }
}

/// Whether the server answered, and did not delete.
fn is_refused(error: &DeleteMessageError) -> bool {
    matches!(error.kind(), DeleteMessageErrorKind::JetStream(_))
}
