//! What one poisoned aggregate in a hundred costs the others: a reaction with it and without it, in turns.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use contracts::article::CONTEXT;
use eventsourcing::{AggregateId, CommandId, RecordedEvent, StreamId};
use messaging::{
    consumer::{Outcome, Reaction, run_reaction},
    event_codec,
    names::EventSubject,
};
use test_support::{NatsServer, user};
use time::OffsetDateTime;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::{event::event, load::Measured, report::Lanes};

/// How many aggregates have events; the first one may be poisoned.
const AGGREGATES: u32 = 100;
/// How many events of the others are on their way at once.
const WINDOW: usize = 64;
/// How often each of the two has its turn.
const TURNS: usize = 6;
/// How long a turn may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Does nothing, and notes how long that took from the append on; never gets past the poisoned aggregate.
struct Trivial {
    /// Its events count for nothing, poisoned or not.
    first: AggregateId,
    poisoned: bool,
    latencies: Mutex<Vec<Duration>>,
    /// What the writer may still write.
    window: Semaphore,
}

impl Reaction for Trivial {
    const NAME: &'static str = "notification";
    const CONTEXTS: &'static [&'static str] = &[CONTEXT];
    /// For ever.
    const MAX_ATTEMPTS: u32 = u32::MAX;

    async fn react(&self, event: &RecordedEvent) -> Outcome {
        if event.aggregate_id == self.first {
            let poisoned = || Outcome::Retry("poisoned".to_owned());
            return if self.poisoned { poisoned() } else { Outcome::Done };
        }
        let latency = OffsetDateTime::now_utc() - event.event.time;
        let mut latencies = self.latencies.lock().unwrap_or_else(PoisonError::into_inner);
        latencies.push(latency.try_into().unwrap_or_default());
        self.window.add_permits(1);
        Outcome::Done
    }
}

/// Hands `events_each` events of each aggregate to a reaction.
pub async fn measure(events_each: u64) -> anyhow::Result<Vec<Lanes>> {
    let mut latencies = [Vec::new(), Vec::new()];
    let mut elapsed = [Duration::ZERO; 2];
    for _ in 0..TURNS {
        for (which, poisoned) in [false, true].into_iter().enumerate() {
            let (took, measured) = turn(poisoned, events_each).await?;
            elapsed[which] += took;
            latencies[which].extend(measured);
        }
    }
    let [none, one] = latencies;
    let [none, one] = [Measured::new(none, elapsed[0]), Measured::new(one, elapsed[1])];
    Ok(vec![Lanes::new("none", &none, &none), Lanes::new("one in 100", &one, &none)])
}

/// How long the events of the healthy aggregates took, altogether and each.
async fn turn(poisoned: bool, events_each: u64) -> anyhow::Result<(Duration, Vec<Duration>)> {
    let server = NatsServer::provisioned_with_sync("1s").await;
    let aggregates: Vec<AggregateId> =
        (0..AGGREGATES).map(|_| CommandId::generate().creates(CONTEXT)).collect();
    let (first, latencies) = (aggregates[0], Mutex::default());
    let window = Semaphore::new(WINDOW);
    let reaction = Arc::new(Trivial { first, poisoned, latencies, window });
    let stop = CancellationToken::new();
    let task = {
        let (connection, reaction) = (server.connect("notification").await, reaction.clone());
        let stop = stop.clone();
        tokio::spawn(async move { run_reaction(&connection, reaction, &stop).await })
    };
    let start = Instant::now();
    let written = write(&server, &aggregates, events_each, &reaction);
    tokio::time::timeout(PATIENCE, written).await.context("a lane was held up")??;
    let elapsed = start.elapsed();
    stop.cancel();
    task.await.context("the reaction panicked")?;
    let mut latencies = reaction.latencies.lock().unwrap_or_else(PoisonError::into_inner);
    Ok((elapsed, std::mem::take(&mut *latencies)))
}

/// Writes the first event of every aggregate, then the second of every one, and so on; returns when all that count are
/// handled.
async fn write(
    server: &NatsServer,
    aggregates: &[AggregateId],
    events_each: u64,
    reaction: &Trivial,
) -> anyhow::Result<()> {
    let (client, author) = (server.client("article").await, user("ann"));
    for version in 1..=events_each {
        for &id in aggregates {
            if id != reaction.first {
                reaction.window.acquire().await?.forget();
            }
            let event = event(id, version, &author)?;
            let stream = StreamId::new(CONTEXT, id);
            let headers = event_codec::headers(&stream, &event);
            let subject = EventSubject(stream).to_string();
            client.publish_with_headers(subject, headers, event.data.into()).await?;
        }
    }
    let all = reaction.window.acquire_many(u32::try_from(WINDOW)?).await?;
    drop(all);
    Ok(())
}
