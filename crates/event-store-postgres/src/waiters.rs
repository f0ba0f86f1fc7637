//! Who waits for the position of an event.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use eventsourcing::StreamId;
use sqlx::{PgExecutor, Row as _};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::rows::{number, unsigned};

/// The event number `version` of an aggregate.
type Event = (StreamId, u64);

/// More than wait at once: from here on, those who do so no more are looked for before another is let in.
const TIDY: usize = 1024;

/// Appends and loads that wait for the relay: one for each command in hand, and some who gave up.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    waiting: Mutex<HashMap<Event, Vec<oneshot::Sender<u64>>>>,
}

impl Waiters {
    /// Gets the position of the event number `version` of `stream`.
    pub(crate) fn register(&self, stream: &StreamId, version: u64) -> oneshot::Receiver<u64> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.lock();
        if waiting.len() >= TIDY {
            waiting.retain(|_, waiting| waiting.iter().any(|waiting| !waiting.is_closed()));
        }
        waiting.entry((stream.clone(), version)).or_default().push(sender);
        receiver
    }

    /// Tells whoever waits for it that the event is at `position`.
    pub(crate) fn tell(&self, stream: &StreamId, version: u64, position: u64) {
        for waiting in self.lock().remove(&(stream.clone(), version)).unwrap_or_default() {
            // Whoever waited no longer needs to know.
            let _ = waiting.send(position);
        }
    }

    /// Forgets whoever waits no more, and asks the database on behalf of the others, all at once.
    pub(crate) async fn look_up(&self, database: impl PgExecutor<'_>) -> Result<(), sqlx::Error> {
        let (mut contexts, mut ids, mut versions) = (Vec::new(), Vec::<Uuid>::new(), Vec::new());
        self.lock().retain(|(stream, version), waiting| {
            waiting.retain(|waiting| !waiting.is_closed());
            if !waiting.is_empty() {
                contexts.push(stream.context.to_string());
                ids.push(stream.aggregate_id.as_uuid());
                versions.push(number(*version));
            }
            !waiting.is_empty()
        });
        if ids.is_empty() {
            return Ok(());
        }
        let published = sqlx::query(
            "SELECT context, aggregate_id, version, position FROM events \
             JOIN unnest($1::text[], $2::uuid[], $3::bigint[]) AS w(context, aggregate_id, version) \
             USING (context, aggregate_id, version) WHERE position IS NOT NULL",
        )
        .bind(contexts)
        .bind(ids)
        .bind(versions)
        .fetch_all(database)
        .await?;
        for row in published {
            let id: Uuid = row.try_get("aggregate_id")?;
            let stream = StreamId::new(row.try_get::<String, _>("context")?, id.into());
            self.tell(&stream, unsigned(&row, "version")?, unsigned(&row, "position")?);
        }
        Ok(())
    }

    // A panic elsewhere cannot leave it half-changed.
    fn lock(&self) -> MutexGuard<'_, HashMap<Event, Vec<oneshot::Sender<u64>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
