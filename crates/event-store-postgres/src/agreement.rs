//! Whether the positions in the database are those of the stream that is there; else the relay makes them so.

use std::sync::Arc;

use eventsourcing::StreamIdentity;
use messaging::{Sighting, StreamWatch, Throttle};
use sqlx::postgres::PgListener;

use crate::{
    Namespace,
    database::{bounded, within},
    origin::{self, AGAIN_PATIENCE, Comparison, Origin},
    outbox::Pending,
    shared::Shared,
};

/// The agreement as the relay of this process knows it, on one connection to the database.
pub(crate) struct Agreement {
    namespace: Namespace,
    watch: StreamWatch,
    shared: Arc<Shared>,
    /// The stream as it was seen when the two agreed, and whether this relay was the active one then.
    reached: Option<(Sighting, bool)>,
    /// While everything is published again: the last row of the outbox that belongs to that.
    again_up_to: Option<i64>,
}

impl Agreement {
    pub(crate) fn new(namespace: Namespace, watch: StreamWatch, shared: Arc<Shared>) -> Self {
        Self { namespace, watch, shared, reached: None, again_up_to: None }
    }

    /// The stream, when the database agrees with it. The active relay brings that about, the others wait for it.
    pub(crate) async fn reach(
        &mut self,
        database: &mut PgListener,
    ) -> anyhow::Result<Option<Sighting>> {
        let Some(sighting) = self.watch.sighting() else { return Ok(None) };
        let is_active = self.shared.is_active();
        let is_known = self.reached == Some((sighting, is_active));
        if is_known && (is_active || self.again_up_to.is_none()) {
            return Ok(Some(sighting));
        }
        let mut origin = bounded(Origin::read(database)).await?;
        let is_reached = if is_active {
            let reached = self.compare(database, &origin, sighting.identity).await?;
            origin = bounded(Origin::read(database)).await?;
            reached
        } else {
            if origin.stream != Some(sighting.identity) {
                self.tell("the active relay has yet to compare the database with the stream");
            }
            origin.stream == Some(sighting.identity)
        };
        if !is_reached {
            return Ok(None);
        }
        (self.reached, self.again_up_to) = (Some((sighting, is_active)), origin.again_up_to);
        self.shared.agree(sighting);
        match self.again_up_to {
            Some(_) => self.tell("events are being published again, to a stream without them"),
            None => self.shared.tell(None),
        }
        Ok(Some(sighting))
    }

    /// Whether the two still agree as they did at `sighting`.
    pub(crate) fn holds(&self, sighting: Sighting) -> bool {
        self.watch.sighting() == Some(sighting)
    }

    /// Forgets it: the database says that it has another one.
    pub(crate) fn forget(&mut self) {
        self.reached = None;
    }

    /// Returns when the stream, or the connection to it, is another than at the last look. Safe to cancel.
    pub(crate) async fn ends(&self, looked_at: Option<Sighting>) {
        match looked_at {
            Some(sighting) => drop(self.watch.sighted_again(sighting).await),
            None => drop(self.watch.sighted().await),
        }
    }

    /// The stream as it is seen now.
    pub(crate) fn sighting(&self) -> Option<Sighting> {
        self.watch.sighting()
    }

    /// Notes, once that is so, that everything was published again: `next` is what the outbox has first.
    pub(crate) async fn progress(
        &mut self,
        database: &mut PgListener,
        stream: StreamIdentity,
        next: Option<&Pending>,
    ) -> anyhow::Result<()> {
        let Some(last) = self.again_up_to else { return Ok(()) };
        if next.is_some_and(|next| next.id <= last) {
            return Ok(());
        }
        bounded(origin::is_complete(database, stream)).await?;
        self.again_up_to = None;
        self.shared.tell(None);
        tracing::info!(%stream, "every event was published again");
        Ok(())
    }

    /// Compares the database with `stream`, and has everything published again when that lacks something; tells whether
    /// the two agree then.
    async fn compare(
        &self,
        database: &mut PgListener,
        origin: &Origin,
        stream: StreamIdentity,
    ) -> anyhow::Result<bool> {
        static FAILURES: Throttle = Throttle::new();
        match origin.compare(self.watch.stream()).await {
            Ok(Comparison::Kept(found)) if found == stream => {
                if origin.stream != Some(stream) {
                    bounded(origin.keep(database, stream)).await?;
                }
                Ok(true)
            }
            Ok(Comparison::Lost { stream: found, reason }) if found == stream => {
                self.tell("events are to be published again, to a stream without them");
                let again = origin.publish_again(database, stream);
                let events = within(AGAIN_PATIENCE, again).await?;
                metrics::counter!(self.namespace.counter("relay_again_total")).increment(events);
                tracing::error!(
                    %stream, events, reason,
                    "the stream lacks events that were published: all are published again"
                );
                Ok(true)
            }
            // It was renewed by this very look.
            Ok(_) => {
                self.watch.nudge();
                Ok(false)
            }
            Err(error) => {
                self.tell("the database is yet to be compared with the stream");
                if let Some(held_back) = FAILURES.pass() {
                    tracing::warn!(%error, held_back, "comparing the database with the stream failed");
                }
                Ok(false)
            }
        }
    }

    fn tell(&self, problem: &str) {
        self.shared.tell(Some(problem));
    }
}
