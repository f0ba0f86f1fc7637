//! From the outbox to the stream, at least once and in order within an aggregate.
//!
//! Every process runs a relay, and one of them works: the one that holds a lock of the database. That only saves
//! the others the work. What keeps the stream right is that each event is published behind the one before it, so
//! that a relay that was away for a while and goes on where it was cannot publish anything twice.

use std::{collections::HashMap, sync::Arc, time::Duration};

use anyhow::bail;
use eventsourcing::StreamId;
use messaging::{JetStreamEventStore, Sighting, consumer::Backoff};
use metrics::{Unit, describe_counter};
use sqlx::postgres::{PgListener, PgNotification};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    Database,
    agreement::Agreement,
    database::bounded,
    namespace::Namespace,
    outbox::{self, Pending, Published},
    publisher::{self, Trouble},
    shared::Shared,
};

/// How often the outbox and the lock are looked at without being called.
const POLL: Duration = Duration::from_secs(1);
/// The pauses between attempts to reach the database, or to publish the events of one aggregate.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(50), max: POLL };
/// The pause before an aggregate that the stream contradicts is tried again: somebody must look at it.
const CONTRADICTED_PAUSE: Duration = Duration::from_secs(30);

fn describe(namespace: &Namespace) {
    describe_counter!(
        namespace.counter("relay_again_total"),
        Unit::Count,
        "Events that were to be published again, to a stream that lacks them"
    );
    describe_counter!(
        namespace.counter("relay_events_total"),
        Unit::Count,
        "Events that were published from the outbox"
    );
    describe_counter!(
        namespace.counter("relay_failures_total"),
        Unit::Count,
        "Times that the relay lost the database"
    );
    describe_counter!(
        namespace.counter("relay_retries_total"),
        Unit::Count,
        "Events whose publishing failed and is tried again"
    );
    describe_counter!(
        namespace.counter("relay_contradictions_total"),
        Unit::Count,
        "Events for which the stream has another one than the database"
    );
}

/// Relays until `stop`; whatever fails is tried again.
pub(crate) async fn run(
    database: Database,
    target: JetStreamEventStore,
    shared: Arc<Shared>,
    stop: CancellationToken,
) {
    let namespace = database.namespace();
    describe(namespace);
    let mut failures = 0;
    loop {
        let relay = Relay {
            // Told apart by the connection, so a part of it in which nothing repeats.
            name: Uuid::now_v7().to_string(),
            target: target.clone(),
            shared: shared.clone(),
            agreement: Agreement::new(namespace.clone(), target.stream().clone(), shared.clone()),
            namespace: namespace.clone(),
            held: HashMap::new(),
        };
        // Everything may be left off anywhere: what was done twice is found to be there.
        let ended = tokio::select! {
            () = stop.cancelled() => None,
            error = relay.work(&database, &mut failures) => Some(error),
        };
        shared.disconnected();
        let Some(error) = ended else { return };
        failures += 1;
        metrics::counter!(namespace.counter("relay_failures_total")).increment(1);
        if failures == 1 {
            tracing::warn!(error = format!("{error:#}"), "the relay lost the database");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(BACKOFF.pause(failures)) => {}
        }
    }
}

/// A relay on one connection.
struct Relay {
    name: String,
    namespace: Namespace,
    target: JetStreamEventStore,
    shared: Arc<Shared>,
    agreement: Agreement,
    /// Aggregates whose events could not be published, and until when they rest. No more than commands that
    /// wait for an answer: what has no position yet cannot be appended to.
    held: HashMap<StreamId, Held>,
}

struct Held {
    failures: u32,
    trouble: Trouble,
    until: Instant,
}

impl Relay {
    /// Works until the connection is lost; tells how.
    async fn work(mut self, database: &Database, failures: &mut u32) -> anyhow::Error {
        let connecting = async {
            let pool = database.relay_pool().await?;
            let mut listener = PgListener::connect_with(&pool).await?;
            // A new connection does not have the lock.
            listener.eager_reconnect(false);
            let namespace = &self.namespace;
            listener.listen_all([namespace.outbox(), namespace.relayed()]).await?;
            Ok(listener)
        };
        let mut listener = match bounded(connecting).await {
            Ok(listener) => listener,
            Err(error) => return error.context("connecting failed"),
        };
        *failures = 0;
        self.shared.connected();
        loop {
            let looked_at = self.agreement.sighting();
            match self.turn(&mut listener).await {
                Ok(true) => {}
                Ok(false) => {
                    if let Err(error) = self.called(&mut listener, looked_at).await {
                        return error;
                    }
                }
                Err(error) => return error,
            }
        }
    }

    /// Does what there is to do; says whether there may be more.
    async fn turn(&mut self, listener: &mut PgListener) -> anyhow::Result<bool> {
        // Whatever they called for is looked at now.
        while listener.next_buffered().is_some() {}
        if !self.shared.is_active() {
            let locking =
                sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(self.namespace.lock());
            let active = bounded(locking.fetch_one(&mut *listener)).await?;
            self.shared.set_active(active);
            if active {
                tracing::info!("the relay of this process is the active one");
            }
        }
        let agreed = self.agreement.reach(&mut *listener).await?;
        if let Some(sighting) = agreed.filter(|_| self.shared.is_active()) {
            let batch = self.take(&mut *listener, sighting).await?;
            if !batch.is_empty() {
                return self.relay(&mut *listener, sighting, batch).await;
            }
        }
        // What another relay has published is known from the database alone.
        bounded(self.shared.waiters.look_up(&mut *listener)).await?;
        Ok(false)
    }

    /// What is to be published next.
    async fn take(
        &mut self,
        listener: &mut PgListener,
        sighting: Sighting,
    ) -> anyhow::Result<Vec<Pending>> {
        let now = Instant::now();
        let resting = self.held.iter().filter(|(_, held)| held.until > now);
        let resting = resting.map(|(stream, _)| stream.aggregate_id.as_uuid()).collect();
        let batch = bounded(outbox::take(&mut *listener, resting)).await?;
        // What is not there any more was published by another relay.
        self.held.retain(|stream, held| {
            held.until > now || batch.iter().any(|pending| pending.stream == *stream)
        });
        // What the stream contradicts is somebody's to look at, and no reason to wait.
        if self.held.values().all(|held| held.trouble == Trouble::Contradicted) {
            self.agreement.progress(listener, sighting.identity, batch.first()).await?;
        }
        Ok(batch)
    }

    /// Publishes `batch` and notes what was; says whether there may be more.
    async fn relay(
        &mut self,
        listener: &mut PgListener,
        sighting: Sighting,
        batch: Vec<Pending>,
    ) -> anyhow::Result<bool> {
        let is_full = outbox::is_full(&batch);
        let published = self.publish(batch).await;
        if published.is_empty() {
            return Ok(is_full);
        }
        // Nobody knows in which of two streams they are: they are looked for in the one that is there.
        if !self.agreement.holds(sighting) {
            return Ok(true);
        }
        let by = (self.namespace.relayed(), self.name.as_str());
        let marking = outbox::mark(&mut *listener, &published, sighting.identity, by);
        if !bounded(marking).await? {
            self.agreement.forget();
            return Ok(true);
        }
        let relayed = metrics::counter!(self.namespace.counter("relay_events_total"));
        relayed.increment(published.len() as u64);
        for event in published {
            self.shared.waiters.tell(&event.stream, event.version, event.position);
        }
        Ok(is_full)
    }

    /// Publishes `batch`; what could not be published rests for a while.
    async fn publish(&mut self, batch: Vec<Pending>) -> Vec<Published> {
        let mut all = Vec::new();
        for (stream, published, trouble) in
            publisher::publish(&self.namespace, &self.target, batch).await
        {
            all.extend(published);
            let Some(trouble) = trouble else {
                self.held.remove(&stream);
                continue;
            };
            let now = Instant::now();
            let held = Held { failures: 0, trouble, until: now };
            let held = self.held.entry(stream).or_insert(held);
            held.trouble = trouble;
            held.failures = held.failures.saturating_add(1);
            held.until = now
                + match trouble {
                    Trouble::Passing => BACKOFF.pause(held.failures),
                    Trouble::Contradicted => CONTRADICTED_PAUSE,
                };
        }
        all
    }

    /// Returns when it is time for another turn, or with what is wrong with the connection.
    async fn called(
        &self,
        listener: &mut PgListener,
        looked_at: Option<Sighting>,
    ) -> anyhow::Result<()> {
        let poll = Instant::now() + POLL;
        let next = self.held.values().map(|held| held.until).fold(poll, Instant::min);
        loop {
            tokio::select! {
                notification = listener.try_recv() => match notification? {
                    Some(notification) if !self.concerns(&notification) => {}
                    Some(_) => return Ok(()),
                    None => bail!("the connection was closed"),
                },
                () = self.shared.called() => return Ok(()),
                () = self.agreement.ends(looked_at) => return Ok(()),
                () = tokio::time::sleep_until(next) => return Ok(()),
            }
        }
    }

    fn concerns(&self, notification: &PgNotification) -> bool {
        if notification.channel() == self.namespace.outbox() {
            self.shared.is_active()
        } else {
            notification.payload() != self.name
        }
    }
}
