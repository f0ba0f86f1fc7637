//! A lease: of several processes that could do something, one does.
//!
//! The holder renews an entry in the bucket `LEASES`, each time with the expectation that nobody else has written it. Whoever
//! waits watches the entry, and takes it when it has not changed for longer than its holder may act after a renewal. Each
//! side measures on its own clock, which goes on while the machine sleeps, so clocks need not agree.

mod turn;

use std::time::Duration;

use async_nats::jetstream::message::PublishMessage;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use self::turn::Turn;
use crate::{Connection, direct_get, names};

/// How long after it sent a renewal the holder may act.
const VALID: Duration = Duration::from_secs(3);
/// How long the others see no renewal before one of them takes the lease: the holder has stopped by then.
const PATIENCE: Duration = Duration::from_millis(3500);
/// How often they look.
const LOOK: Duration = Duration::from_millis(250);

/// A lease that this process would like to hold. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Lease {
    connection: Connection,
    name: &'static str,
    holder: Uuid,
    record: Uuid,
}

/// Why it is not this process's turn yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waiting {
    /// Another process holds the lease.
    ForTurn,
    /// Another process held it while this one watched, and keeps another record of what was done. This process never takes
    /// over from it, since it would do again what only the other one's record knows.
    ForeignRecord,
    /// The bucket cannot be read; says why.
    Away(String),
}

/// What the bucket holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    holder: Uuid,
    record: Uuid,
    /// Its holder has given it up.
    #[serde(default)]
    is_free: bool,
}

/// An entry and its place in the bucket's stream, which is another one after each renewal.
type Placed = Option<(Entry, u64)>;

impl Lease {
    /// The lease `name`, for a process that keeps the `record` of what was done: processes that share a record have the
    /// same.
    #[must_use]
    pub fn new(connection: &Connection, name: &'static str, record: Uuid) -> Self {
        metrics::describe_gauge!("lease_held", "1 in the process whose turn it is, 0 in others");
        Self { connection: connection.clone(), name, holder: Uuid::now_v7(), record }
    }

    /// Waits until it is this process's turn; `None` after `stop`. Meanwhile `report` hears why it is not.
    pub async fn acquire(
        &self,
        stop: &CancellationToken,
        report: impl Fn(&Waiting),
    ) -> Option<Turn> {
        let mut watched = Watched::default();
        metrics::gauge!("lease_held", "lease" => self.name).set(0.0);
        while !stop.is_cancelled() {
            let waiting = match self.last().await {
                Ok(last) => match watched.judge(last, self.holder, self.record, now()) {
                    Ok(after) => match self.take(after).await {
                        Some(turn) => return Some(turn),
                        None => Waiting::ForTurn,
                    },
                    Err(waiting) => waiting,
                },
                Err(error) => Waiting::Away(error.to_string()),
            };
            report(&waiting);
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        None
    }

    async fn take(&self, after: u64) -> Option<Turn> {
        let sent = now();
        match self.write(after, false).await {
            Ok(sequence) => Some(Turn::start(self.clone(), sequence, sent + VALID)),
            // Another was faster, or nobody knows: the next look tells.
            Err(error) => {
                tracing::debug!(lease = self.name, %error, "the lease was not taken");
                None
            }
        }
    }

    /// The entry as the bucket's leader has it.
    async fn last(&self) -> Result<Placed, async_nats::Error> {
        let subject = names::lease(self.name);
        let Some(last) = direct_get::last(&self.connection, names::LEASES, &subject).await? else {
            return Ok(None);
        };
        Ok(Some((serde_json::from_slice(&last.payload)?, last.sequence)))
    }

    /// Writes the entry if nobody has since `after`; returns its place.
    async fn write(&self, after: u64, is_free: bool) -> Result<u64, async_nats::Error> {
        // Sent while disconnected it would arrive at some later time.
        if !self.connection.is_connected() {
            return Err("not connected to NATS".into());
        }
        let entry = Entry { holder: self.holder, record: self.record, is_free };
        let message = PublishMessage::build()
            .payload(serde_json::to_vec(&entry)?.into())
            .expected_last_subject_sequence(after);
        let subject = names::lease(self.name);
        Ok(self.connection.jetstream.send_publish(subject, message).await?.await?.sequence)
    }
}

/// What a process has seen of the lease.
#[derive(Debug, Default)]
struct Watched {
    /// The place of the entry, and since when it is that.
    since: Option<(u64, Duration)>,
    /// A holder with another record was alive.
    is_foreign: bool,
}

impl Watched {
    /// After which place `holder` with its `record` may take the lease at the time `now`, or why not yet.
    fn judge(
        &mut self,
        last: Placed,
        holder: Uuid,
        record: Uuid,
        now: Duration,
    ) -> Result<u64, Waiting> {
        let Some((entry, sequence)) = last else { return self.unless_foreign(0) };
        // Nobody has written since: this process held it until its own renewals failed.
        if entry.holder == holder {
            return Ok(sequence);
        }
        let renewed = self.since.is_some_and(|(before, _)| before != sequence);
        if renewed && entry.record != record {
            self.is_foreign = true;
        }
        if renewed || self.since.is_none() {
            self.since = Some((sequence, now));
        }
        let still = self.since.map_or(Duration::ZERO, |(_, since)| now.saturating_sub(since));
        if entry.is_free || still >= PATIENCE {
            return self.unless_foreign(sequence);
        }
        Err(if self.is_foreign { Waiting::ForeignRecord } else { Waiting::ForTurn })
    }

    fn unless_foreign(&self, sequence: u64) -> Result<u64, Waiting> {
        if self.is_foreign { Err(Waiting::ForeignRecord) } else { Ok(sequence) }
    }
}

/// The time since the machine started, in which it slept included.
fn now() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests;
