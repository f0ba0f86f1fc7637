use std::{collections::HashMap, fmt, ops::RangeInclusive, time::Duration};

use eventsourcing::{RecordedEvent, StoreError};

use crate::{
    Connection,
    direct_get::{self, PageSize},
    feed::StreamMessage,
    names,
};

/// What is read at once.
const PAGE: PageSize = PageSize { messages: 500, bytes: 8 * 1024 * 1024 };
/// An event's subject: `events.<context>.<aggregate id>`.
const TOKENS_OF_EVENT: usize = 3;
/// How often an end that a server of a cluster does not know yet is looked for, and the pause before.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(200);

/// What is wrong with the history in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// These positions have no message.
    Missing(RangeInclusive<u64>),
    /// A server of the cluster has no message at these positions, and the leader has.
    MissingOnReplica(RangeInclusive<u64>),
    /// The versions of an aggregate do not follow each other.
    Versions {
        /// The subject of the aggregate.
        subject: String,
        /// The position where that shows.
        position: u64,
        /// The version before; 0 when there is none.
        after: u64,
        /// The version at the position.
        found: u64,
    },
    /// What is there is no event that anybody can read.
    Unreadable {
        /// The subject.
        subject: String,
        /// The position.
        position: u64,
        /// Why not.
        reason: String,
    },
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(range) => write!(f, "{} missing", Positions(range)),
            Self::MissingOnReplica(range) => {
                write!(
                    f,
                    "{} missing on a server of the cluster, not on its leader",
                    Positions(range)
                )
            }
            Self::Versions { subject, position, after, found } => {
                write!(
                    f,
                    "position {position}: version {found} follows version {after} at {subject}"
                )
            }
            Self::Unreadable { subject, position, reason } => {
                write!(f, "position {position}: cannot be read as an event of {subject}: {reason}")
            }
        }
    }
}

struct Positions<'a>(&'a RangeInclusive<u64>);

impl fmt::Display for Positions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.start(), self.0.end()) {
            (first, last) if first == last => write!(f, "position {first} is"),
            (first, last) => write!(f, "positions {first} to {last} are"),
        }
    }
}

/// Reads the whole stream and says what is wrong with it. It changes nothing, and leaves nothing on the server.
#[derive(Debug)]
pub struct Walk {
    connection: Connection,
    /// The last position at the beginning.
    last: u64,
    /// Everything up to here was looked at.
    position: u64,
    /// How many events there were.
    events: u64,
    /// The last version of each aggregate.
    versions: HashMap<String, u64>,
}

impl Walk {
    /// Begins before the first position, to end at what is the last one now.
    ///
    /// # Errors
    /// NATS did not answer, or there is no stream.
    pub async fn begin(connection: &Connection) -> Result<Self, StoreError> {
        let found = connection.stream().stream().find().await?;
        let found = found.ok_or_else(|| StoreError::new("reading the stream", "there is none"))?;
        let (connection, versions) = (connection.clone(), HashMap::new());
        Ok(Self { connection, last: found.last, position: 0, events: 0, versions })
    }

    /// The position at which it ends.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.last
    }

    /// The position that it has reached.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// How many events it has read.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Reads the next messages and tells what is wrong with them; `None` at the end. `check` says of an event why its data
    /// cannot be read.
    ///
    /// # Errors
    /// NATS did not answer.
    pub async fn step(
        &mut self,
        check: impl Fn(&RecordedEvent) -> Result<(), String>,
    ) -> Result<Option<Vec<Flaw>>, StoreError> {
        if self.position >= self.last {
            return Ok(None);
        }
        let mut flaws = Vec::new();
        let mut page = self.page().await?;
        page.retain(|message| message.position <= self.last);
        if page.is_empty() {
            self.pass_over(self.last + 1, &check, &mut flaws).await?;
        }
        for message in page {
            self.pass_over(message.position, &check, &mut flaws).await?;
            self.look(&message, &check, &mut flaws);
        }
        Ok(Some(flaws))
    }

    /// The next messages; none when there are none.
    async fn page(&self) -> Result<Vec<StreamMessage>, StoreError> {
        let (connection, from) = (&self.connection, self.position + 1);
        for _ in 0..ATTEMPTS {
            let page =
                direct_get::read_page(connection, names::EVENTS, names::ALL_EVENTS, from, PAGE);
            let page = page.await?;
            if !page.is_empty() {
                return Ok(page.into_iter().map(StreamMessage::from).collect());
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(Vec::new())
    }

    /// Goes on to right before `to`. What the server passed over is asked of the leader.
    async fn pass_over(
        &mut self,
        to: u64,
        check: &impl Fn(&RecordedEvent) -> Result<(), String>,
        flaws: &mut Vec<Flaw>,
    ) -> Result<(), StoreError> {
        let (mut missing, mut on_replica) = (Vec::new(), Vec::new());
        for position in self.position + 1..to {
            match direct_get::at(&self.connection, names::EVENTS, position).await? {
                Some(message) => {
                    on_replica.push(position);
                    let message = StreamMessage {
                        subject: message.subject.into_string(),
                        headers: message.headers,
                        payload: message.payload,
                        position,
                        stored_at: 0,
                    };
                    self.look(&message, check, flaws);
                }
                None => missing.push(position),
            }
            self.position = position;
        }
        flaws.extend(ranges(&missing).map(Flaw::Missing));
        flaws.extend(ranges(&on_replica).map(Flaw::MissingOnReplica));
        Ok(())
    }

    fn look(
        &mut self,
        message: &StreamMessage,
        check: &impl Fn(&RecordedEvent) -> Result<(), String>,
        flaws: &mut Vec<Flaw>,
    ) {
        self.position = message.position;
        // A claim, or another note of the stream's own.
        if message.subject.split('.').count() != TOKENS_OF_EVENT {
            return;
        }
        self.events += 1;
        let (subject, position) = (message.subject.clone(), message.position);
        let event = match message.event() {
            Ok(event) => event,
            Err(error) => {
                flaws.push(Flaw::Unreadable { subject, position, reason: error.to_string() });
                return;
            }
        };
        if let Err(reason) = check(&event) {
            flaws.push(Flaw::Unreadable { subject: subject.clone(), position, reason });
        }
        let found = event.event.version;
        let after = self.versions.insert(subject.clone(), found).unwrap_or(0);
        if found != after + 1 {
            flaws.push(Flaw::Versions { subject, position, after, found });
        }
    }
}

/// `positions`, which are in order, as ranges.
fn ranges(positions: &[u64]) -> impl Iterator<Item = RangeInclusive<u64>> {
    let runs = positions.chunk_by(|one, next| one + 1 == *next);
    runs.filter_map(|run| Some(*run.first()?..=*run.last()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_told_as_ranges() {
        let told: Vec<String> =
            ranges(&[2, 3, 4, 9]).map(|range| Flaw::Missing(range).to_string()).collect();
        assert_eq!(told, ["positions 2 to 4 are missing", "position 9 is missing"]);
        assert_eq!(ranges(&[]).count(), 0);
    }
}
