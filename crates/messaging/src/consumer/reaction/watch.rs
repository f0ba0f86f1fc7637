//! Looking at the durable while it is used: how far the reaction is behind, and whether it still gets anything.

use std::time::Duration;

use async_nats::jetstream::consumer::PullConsumer;
use time::OffsetDateTime;
use tokio::time::{Instant, MissedTickBehavior};

use super::{
    Job, Reaction,
    durable::{self, MAX_IN_HAND},
    in_hand::Held,
    worker::Worker,
};
use crate::consumer::lanes::Lanes;

/// How often the server is asked.
const LOOK: Duration = Duration::from_secs(1);
/// How long nothing may be delivered while something waits at the server and there is room for it.
const STALLED: Duration = Duration::from_secs(6);

/// Measures until the durable has to be renewed; tells why. `floor` is kept up to date, for one that gets lost.
pub(super) async fn watch<R: Reaction>(
    durable: &PullConsumer,
    floor: &mut u64,
    lanes: &Lanes<Job>,
    worker: &Worker<R>,
) -> String {
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stall = Stall::default();
    loop {
        looks.tick().await;
        worker.metrics().lanes(lanes.len());
        let info = match durable.get_info().await {
            Ok(info) => info,
            Err(error) if durable::is_gone(&error) => return "the durable is gone".to_owned(),
            // A link that is away is the business of others.
            Err(error) => {
                tracing::debug!(consumer = R::NAME, %error, "asking about the durable failed");
                continue;
            }
        };
        *floor = info.ack_floor.stream_sequence.max(*floor);
        let held = worker.held();
        let room = held.count < usize::try_from(MAX_IN_HAND).unwrap_or(usize::MAX);
        // Who pauses a durable wants it to stand still.
        let pending = info.num_pending > 0;
        let waits = pending && room && !info.paused;
        let stalled = stall.note(pending, waits, held.delivered, Instant::now());
        let in_hand = u64::try_from(info.num_ack_pending).unwrap_or(u64::MAX);
        let lag = info.num_pending.saturating_add(in_hand);
        worker.metrics().lag(lag, stall.age(lag, held));
        if stalled {
            let pending = info.num_pending;
            return format!("{pending} events wait, and none was delivered for {STALLED:?}");
        }
    }
}

/// Since when something waits at the server without being delivered.
#[derive(Default)]
struct Stall {
    /// Whatever the reason.
    pending: Option<Instant>,
    /// Although it should be here.
    since: Option<Instant>,
}

impl Stall {
    /// Notes whether something is `pending`, whether it `waits` that should be here, and says whether that goes on for too
    /// long.
    fn note(&mut self, pending: bool, waits: bool, delivered: Instant, now: Instant) -> bool {
        // What waited before the last delivery is not what waits now.
        let since = |before: Option<Instant>| before.map_or(now, |since| since.max(delivered));
        self.pending = pending.then(|| since(self.pending));
        self.since = waits.then(|| since(self.since));
        self.since.is_some_and(|since| now.duration_since(since) >= STALLED)
    }

    /// The age of the oldest of `lag` events. What is in hand is older than what is not; of that it is known only since
    /// when it waits.
    fn age(&self, lag: u64, held: Held) -> Duration {
        if lag == 0 {
            return Duration::ZERO;
        }
        let age =
            |stored| Duration::try_from(OffsetDateTime::now_utc() - stored).unwrap_or_default();
        let waits = || self.pending.map(|since| since.elapsed()).unwrap_or_default();
        held.oldest.map_or_else(waits, age)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_waits_on_and_on_without_a_delivery_is_stalled() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut stall = Stall::default();
        assert!(!stall.note(true, true, start, at(100)), "it has just come");
        assert!(!stall.note(true, true, start, at(105)));
        assert!(stall.note(true, true, start, at(106)));
        assert!(!stall.note(true, true, at(106), at(111)), "something was delivered meanwhile");
        assert!(!stall.note(false, false, at(106), at(120)), "nothing waits");
        assert!(!stall.note(true, true, at(106), at(121)));
        assert!(stall.note(true, true, at(106), at(127)));
    }
}
