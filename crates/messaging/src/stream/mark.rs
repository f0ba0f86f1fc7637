//! A remembered position, and how the stream relates to it.

use std::time::Duration;

use eventsourcing::{EventId, StoreError, StreamIdentity};

use super::{EventStream, Found, Wanted};
use crate::{Throttle, event_codec, history::CURE};

/// How often, and how long, a message that should be there is looked for: on a cluster a new leader may have to catch up.
const PAUSE: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_millis(400);
const CLUSTER_PATIENCE: Duration = Duration::from_secs(5);

/// A position, and what makes it recognisable.
///
/// The time is that of the server, not that of the event: the same command, sent again after its event was lost, makes an
/// event with the same id, perhaps at the same position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The stream.
    pub stream: StreamIdentity,
    /// The position in it; 0 is before its first message.
    pub position: u64,
    /// When the server stored the message there, in nanoseconds of Unix time; 0 when nobody knows.
    pub stored_at: i64,
}

/// How the stream relates to a mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Relation {
    /// It is the stream of the mark, and still has what was there.
    Same(StreamIdentity),
    /// It has a newer identity, but everything up to the mark is as it was.
    Renewed(StreamIdentity),
    /// It is another one, or lost what was there; says which and why.
    Another {
        /// The identity of the stream now.
        stream: StreamIdentity,
        /// Why it is another one, for an operator.
        reason: String,
    },
}

/// What the stream has at a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// No message.
    Nothing,
    /// The event of this id.
    Event(EventId),
    /// A message that is no event, or none that can be read.
    Other,
}

impl EventStream {
    /// How the stream relates to `mark`. A stream that lost what was there gets a new identity.
    ///
    /// # Errors
    /// NATS did not answer, or there is no stream.
    pub async fn relate(&self, mark: &Mark) -> Result<Relation, StoreError> {
        let found = self.found_now().await?;
        if !found.identity.has_origin_of(mark.stream) {
            let reason =
                format!("it was made from the stream {}, not {}", mark.stream, found.identity);
            return Ok(Relation::Another { stream: found.identity, reason });
        }
        let loss = self.loss(mark, &found).await?;
        let is_known = self.knows(&found, mark.stream).await?;
        let found = match &loss {
            Some(loss) if found.identity == mark.stream => self.renew_found(&found, loss).await?,
            _ if !is_known => {
                let reason = format!("the stream went back behind its renewal as {}", mark.stream);
                self.renew_found(&found, &reason).await?
            }
            _ => found,
        };
        Ok(match loss {
            Some(reason) => Relation::Another { stream: found.identity, reason },
            None if found.identity == mark.stream => Relation::Same(found.identity),
            None => Relation::Renewed(found.identity),
        })
    }

    /// A mark at the end of the stream; `None` when there is none.
    ///
    /// # Errors
    /// NATS did not answer.
    pub async fn mark(&self) -> Result<Option<Mark>, StoreError> {
        let Some(found) = self.find().await? else { return Ok(None) };
        Ok(Some(self.mark_of(&found).await?))
    }

    /// A mark at the end of what was found.
    pub(super) async fn mark_of(&self, found: &Found) -> Result<Mark, StoreError> {
        let stored_at = match found.last {
            0 => None,
            last => self.stored_at(last).await?,
        };
        let position = stored_at.map_or(0, |_| found.last);
        Ok(Mark { stream: found.identity, position, stored_at: stored_at.unwrap_or_default() })
    }

    /// A mark at `position`, whose stream and time nobody noted, as if it was of the stream that is there; and whether
    /// that has a message there.
    ///
    /// # Errors
    /// NATS did not answer, or there is no stream.
    pub async fn adopt(&self, position: u64) -> Result<(Mark, bool), StoreError> {
        let stream = self.found_now().await?.identity;
        let stored_at = if position == 0 { Some(0) } else { self.stored_at(position).await? };
        let mark = Mark { stream, position, stored_at: stored_at.unwrap_or_default() };
        Ok((mark, stored_at.is_some()))
    }

    /// The subject of the message at `position`, if there is one.
    ///
    /// # Errors
    /// NATS did not answer.
    pub async fn subject_at(&self, position: u64) -> Result<Option<String>, StoreError> {
        Ok(self.raw(Wanted::At(position)).await?.map(|message| message.subject.into_string()))
    }

    /// What is at `position`.
    ///
    /// # Errors
    /// NATS did not answer.
    pub async fn at(&self, position: u64) -> Result<At, StoreError> {
        let Some(message) = self.raw(Wanted::At(position)).await? else { return Ok(At::Nothing) };
        let (subject, sequence) = (message.subject.as_str(), message.sequence);
        let event = event_codec::decode(subject, &message.headers, &message.payload, sequence);
        Ok(event.map_or(At::Other, |event| At::Event(event.event.id)))
    }

    async fn found_now(&self) -> Result<Found, StoreError> {
        let found = self.find().await?;
        found.ok_or_else(|| StoreError::new("asking which stream it is", "there is none"))
    }

    /// Why the stream has not what was at `mark`, if it has not.
    async fn loss(&self, mark: &Mark, found: &Found) -> Result<Option<String>, StoreError> {
        let position = mark.position;
        if position == 0 {
            return Ok(None);
        }
        let patience = if found.replicas > 1 { CLUSTER_PATIENCE } else { PATIENCE };
        let begin = tokio::time::Instant::now();
        loop {
            match self.stored_at(position).await? {
                Some(stored_at) if mark.stored_at == 0 || stored_at == mark.stored_at => {
                    return Ok(None);
                }
                Some(_) => {
                    return Ok(Some(format!(
                        "the stream went back: at position {position} it has another message than before"
                    )));
                }
                None if begin.elapsed() >= patience && position <= found.last => {
                    note_hole(position);
                    return Ok(None);
                }
                None if begin.elapsed() >= patience => {
                    let last = found.last;
                    return Ok(Some(format!(
                        "the stream went back: position {position} was known, and it ends at {last}; only a backup of the stream can have what it lost"
                    )));
                }
                None => tokio::time::sleep(PAUSE).await,
            }
        }
    }
}

/// Says that the message at `position` is gone. A stream that went back and on again has another one there: a hole comes from
/// a damaged disk, and everything else is as it was.
fn note_hole(position: u64) {
    static HOLES: Throttle = Throttle::new();
    if let Some(held_back) = HOLES.pass() {
        tracing::error!(
            position,
            held_back,
            "the stream of events has no message at a position any more: {CURE}"
        );
    }
}
