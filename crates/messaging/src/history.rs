//! Whether the history in the stream is whole.
//!
//! Nothing is ever deleted from the stream, so each position has a message, and the versions of an aggregate are 1, 2, 3 …
//! A server whose disk has damaged a message leaves it out without a word. A reader that meets a gap has it looked at here;
//! when something is missing indeed, that is an alarm until it is there again.

mod walk;

use std::{
    collections::BTreeSet,
    ops::RangeInclusive,
    sync::{Arc, Weak},
    time::Duration,
};

use async_nats::{HeaderMap, header::NATS_BATCH_SEQUENCE};
use eventsourcing::StoreError;
use tokio::sync::{Semaphore, watch};

pub use self::walk::{Flaw, Walk};
use crate::{
    Connection, Throttle,
    connection::Clients,
    direct_get::{self, PageSize},
    names::{self, header},
};

/// How many suspicions are followed at once; who has raised so many alarms needs no further one.
const MAX_LOOKS: usize = 16;
/// How many positions of a gap are looked at: one that is missing is enough for an alarm.
const MAX_POSITIONS: usize = 256;
/// How often a look that fails is tried again, and the pause before.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);
/// How often damage is looked at again: a restored backup mends it.
const LOOK_AGAIN: Duration = Duration::from_secs(10);
/// What is read at once of the events of an aggregate.
const PAGE: PageSize = PageSize { messages: 256, bytes: 1024 * 1024 };
/// What to do about it.
pub(crate) const CURE: &str =
    "newswire verify lists what is missing, a backup of the stream may have it";

/// Where a reader met a gap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Suspicion {
    /// These positions were passed over.
    Positions(RangeInclusive<u64>),
    /// The versions of the aggregate with this subject do not follow each other.
    Aggregate(String),
}

/// What was found to be missing.
#[derive(Debug)]
pub(crate) struct History {
    damage: watch::Sender<BTreeSet<String>>,
    looks: Arc<Semaphore>,
}

impl Default for History {
    fn default() -> Self {
        let (damage, looks) = (watch::Sender::default(), Arc::new(Semaphore::new(MAX_LOOKS)));
        Self { damage, looks }
    }
}

impl Connection {
    /// What readers on this connection have found to be missing from the stream, as a sentence each, and the changes of that.
    #[must_use]
    pub fn damage(&self) -> watch::Receiver<BTreeSet<String>> {
        self.history.damage.subscribe()
    }

    /// Has somebody look whether something is missing from the stream, as `reader` suspects; returns at once.
    pub fn suspect(&self, reader: &str, suspicion: Suspicion) {
        let Ok(permit) = self.history.looks.clone().try_acquire_owned() else { return };
        let (clients, reader) = (Arc::downgrade(&self.0), reader.to_owned());
        tokio::spawn(async move {
            follow(&clients, &reader, &suspicion).await;
            drop(permit);
        });
    }

    /// Notes that `reader`, which was at the position `from`, has gone on to the message at `to`.
    pub(crate) fn note_step(&self, reader: &str, from: u64, to: u64, headers: &HeaderMap) {
        if let Some(gap) = gap(from, to, headers) {
            self.suspect(reader, Suspicion::Positions(gap));
        }
    }
}

/// A word on `damage` for an operator, if there is any.
#[must_use]
pub fn warning(damage: &BTreeSet<String>) -> Option<String> {
    let first = damage.first()?;
    let more = match damage.len() {
        1 => String::new(),
        length => format!(" and {} more", length - 1),
    };
    Some(format!("{first}{more}: {CURE}"))
}

/// The positions between `from` and `to` that a reader of events should have seen. What is stored in one commit with the
/// event, before it, are its claims, which are nobody's to read.
fn gap(from: u64, to: u64, headers: &HeaderMap) -> Option<RangeInclusive<u64>> {
    let before = headers.get(NATS_BATCH_SEQUENCE).and_then(|number| number.as_str().parse().ok());
    let before = before.map_or(0, |number: u64| number.saturating_sub(1));
    let (first, last) = (from + 1, to.saturating_sub(before + 1));
    (first <= last).then_some(first..=last)
}

/// Looks at `suspicion`; when it is true, tells it until it is not any more.
async fn follow(clients: &Weak<Clients>, reader: &str, suspicion: &Suspicion) {
    static FOUND: Throttle = Throttle::new();
    let Some(found) = look(clients, suspicion).await else { return };
    let tell = |found: &str| {
        let Some(clients) = clients.upgrade() else { return false };
        clients.history.damage.send_if_modified(|damage| damage.insert(found.to_owned()))
    };
    if !tell(&found) {
        return;
    }
    metrics::counter!("history_gaps_total", "reader" => reader.to_owned()).increment(1);
    if let Some(held_back) = FOUND.pass() {
        tracing::error!(
            reader,
            damage = found,
            held_back,
            "the stream of events is damaged: {CURE}"
        );
    }
    loop {
        tokio::time::sleep(LOOK_AGAIN).await;
        let Some(clients) = clients.upgrade() else { return };
        let connection = Connection(clients);
        if matches!(missing(&connection, suspicion).await, Ok(None)) {
            tracing::info!(
                damage = found,
                "what was missing from the stream of events is there again"
            );
            connection.history.damage.send_if_modified(|damage| damage.remove(&found));
            return;
        }
    }
}

/// What is missing, as far as the server tells.
async fn look(clients: &Weak<Clients>, suspicion: &Suspicion) -> Option<String> {
    for _ in 0..ATTEMPTS {
        let connection = Connection(clients.upgrade()?);
        match missing(&connection, suspicion).await {
            Ok(missing) => return missing,
            Err(error) => tracing::debug!(%error, "looking at a gap of the stream failed"),
        }
        drop(connection);
        tokio::time::sleep(PAUSE).await;
    }
    None
}

async fn missing(
    connection: &Connection,
    suspicion: &Suspicion,
) -> Result<Option<String>, StoreError> {
    match suspicion {
        Suspicion::Positions(positions) => {
            for position in positions.clone().take(MAX_POSITIONS) {
                if direct_get::at(connection, names::EVENTS, position).await?.is_none() {
                    return Ok(Some(format!(
                        "position {position} of the stream {} has no message",
                        names::EVENTS
                    )));
                }
            }
            Ok(None)
        }
        Suspicion::Aggregate(subject) => missing_version(connection, subject).await,
    }
}

async fn missing_version(
    connection: &Connection,
    subject: &str,
) -> Result<Option<String>, StoreError> {
    let (mut next, mut version) = (1, 0);
    loop {
        let page = direct_get::read_page(connection, names::EVENTS, subject, next, PAGE).await?;
        let Some(last) = page.last() else { return Ok(None) };
        next = last.position + 1;
        for stored in &page {
            let headers = stored.message.headers.as_ref();
            let found = headers.and_then(|headers| headers.get(header::CE_AGGREGATE_VERSION));
            let Some(found) = found.and_then(|found| found.as_str().parse::<u64>().ok()) else {
                continue;
            };
            if found != version + 1 {
                return Ok(Some(format!("version {found} follows version {version} at {subject}")));
            }
            version = found;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_committed_with_an_event_is_no_gap() {
        let none = HeaderMap::new();
        assert_eq!(gap(4, 5, &none), None);
        assert_eq!(gap(4, 7, &none), Some(5..=6));
        let mut batch = HeaderMap::new();
        batch.insert(NATS_BATCH_SEQUENCE, "2");
        assert_eq!(gap(4, 6, &batch), None);
        assert_eq!(gap(4, 7, &batch), Some(5..=5));
        assert_eq!(gap(4, 5, &batch), None, "the one before was in the batch and was read");
    }

    #[test]
    fn a_warning_names_the_first_damage_the_count_and_the_cure() {
        assert_eq!(warning(&BTreeSet::new()), None);
        let damage = BTreeSet::from(["a".to_owned(), "b".to_owned()]);
        let warning = warning(&damage).expect("there is damage");
        assert!(warning.starts_with("a and 1 more: newswire verify"), "{warning}");
    }
}
