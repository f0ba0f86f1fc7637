#![doc = include_str!("../README.md")]

mod agreement;
mod commit;
mod database;
mod namespace;
mod origin;
mod outbox;
mod publisher;
mod relay;
mod rows;
mod shared;
mod waiters;

use std::{sync::Arc, time::Duration};

use eventsourcing::{
    AppendError, Commit, EventStore, Head, LoadError, RecordedEvent, StoreError, StreamId,
};
use messaging::{JetStreamEventStore, Sighting, StreamWatch, consumer::Backoff};
use service_kit::Context;
use sqlx::PgPool;
use tokio::time::Instant;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use database::DATABASE_PATIENCE;
pub use database::Database;
pub use namespace::Namespace;
use rows::{EventRow, Span};
use shared::Shared;

/// How long an append or a load waits for the relay.
const RELAY_PATIENCE: Duration = Duration::from_secs(2);
/// The largest data that is taken: what is committed must fit the stream, whose events are 512 KiB with headers.
const MAX_DATA: usize = 480 * 1024;
/// Another process writes the same aggregate: a moment is enough for it to be done.
const CONFLICT_BACKOFF: Backoff =
    Backoff { base: Duration::from_millis(2), max: Duration::from_millis(100) };

/// Keeps events in a PostgreSQL database and relays them to the stream `EVENTS`. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PostgresEventStore {
    namespace: Namespace,
    pool: PgPool,
    shared: Arc<Shared>,
    watch: StreamWatch,
    relay: Arc<RelayHandle>,
}

/// The running relay; it ends with the last clone of the store.
#[derive(Debug)]
struct RelayHandle {
    tasks: TaskTracker,
    stop: CancellationToken,
    _guard: DropGuard,
}

impl PostgresEventStore {
    /// Opens `database`, waiting for it as long as it takes, brings its tables up to date and starts the relay to
    /// `target`; `None` when it is time to stop.
    ///
    /// Several processes may have the same database open.
    pub async fn open(
        database: Database,
        target: JetStreamEventStore,
        context: &Context,
    ) -> anyhow::Result<Option<Self>> {
        let process = &context.lifecycle;
        if !database.prepare(process.stop_token()).await? {
            return Ok(None);
        }
        let shared = Arc::new(Shared::default());
        shared.tell(Some("the database is yet to be compared with the stream"));
        let service = database.namespace().service();
        let component = |name| format!("{service}: {name}");
        context.health.follow(component("database"), shared.link(), database::problem);
        context.health.follow(component("relay"), shared.problem(), Option::clone);
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        // Two aggregates may have events with one id, as far as the database is concerned.
        let target = target.without_message_ids();
        let watch = target.stream().clone();
        let relay = relay::run(database.clone(), target, shared.clone(), stop.clone());
        let ended = process.stop_token().clone();
        let relay = Box::pin(tasks.track_future(relay));
        tasks.close();
        process.run(format!("{service} relay"), async move {
            relay.await;
            // It ends with the store, which may be early when the service fails: that failure is the one to tell.
            ended.cancelled().await;
            Ok(())
        });
        let guard = stop.clone().drop_guard();
        let relay = Arc::new(RelayHandle { tasks, stop, _guard: guard });
        let (namespace, pool) = (database.namespace().clone(), database.pool());
        Ok(Some(Self { namespace, pool, shared, watch, relay }))
    }

    /// Ends the relay and lets go of the database. What is not published yet will be by the next relay.
    pub async fn close(&self) {
        self.relay.stop.cancel();
        self.relay.tasks.wait().await;
        self.pool.close().await;
    }
}

impl EventStore for PostgresEventStore {
    async fn load(&self, stream: &StreamId, after: Head) -> Result<Vec<RecordedEvent>, LoadError> {
        let events = self.published(stream, Span::From(after.version)).await?;
        behind(after, events)
    }

    async fn page(&self, stream: &StreamId, after: Head) -> Result<Vec<RecordedEvent>, LoadError> {
        let events = self.published(stream, Span::PageFrom(after.version)).await?;
        behind(after, events)
    }

    async fn last(&self, stream: &StreamId) -> Result<Option<RecordedEvent>, LoadError> {
        Ok(self.published(stream, Span::Last).await?.pop())
    }

    async fn append(
        &self,
        stream: &StreamId,
        expected: Head,
        commit: Commit,
    ) -> Result<Head, AppendError> {
        let act = "storing events";
        let Some(version) = commit.events.last().map(|event| event.version) else {
            return Ok(expected);
        };
        if commit.events.iter().any(|event| event.data.len() > MAX_DATA) {
            return Err(StoreError::new(act, "an event is too large for the stream").into());
        }
        self.agreed(act).await?;
        let published = self.shared.waiters.register(stream, version);
        // The relay of another process is called by the database, our own directly.
        let call = (!self.shared.is_active()).then(|| self.namespace.outbox());
        let storing = commit::store(&self.pool, stream, expected, &commit, call);
        let stored = tokio::time::timeout(DATABASE_PATIENCE, storing).await;
        stored.map_err(|late| AppendError::Unknown(StoreError::new(act, late)))??;
        self.shared.call();
        match tokio::time::timeout(RELAY_PATIENCE, published).await {
            Ok(Ok(position)) => Ok(Head { version, position }),
            Ok(Err(_)) | Err(_) => {
                // It is committed and will be published; but nobody can say where yet.
                Err(AppendError::Unknown(StoreError::new(act, "the relay did not publish in time")))
            }
        }
    }

    async fn pause(&self, attempt: u32) {
        tokio::time::sleep(CONFLICT_BACKOFF.pause(attempt)).await;
    }
}

/// `events` without the one at `after`, which is read along to see whether there is such an event.
fn behind(after: Head, mut events: Vec<RecordedEvent>) -> Result<Vec<RecordedEvent>, LoadError> {
    if after == Head::default() {
        return Ok(events);
    }
    if events.first().map(Head::from) != Some(after) {
        return Err(LoadError::UnknownHead);
    }
    events.remove(0);
    Ok(events)
}

impl PostgresEventStore {
    /// Waits until the database has the positions of the stream that is there. Without a stream nothing contradicts it.
    async fn agreed(&self, act: &'static str) -> Result<(), StoreError> {
        let mut agreed = self.shared.agreed();
        let has_its_positions = |agreed: &Option<Sighting>| {
            self.watch.sighting().is_none_or(|sighting| *agreed == Some(sighting))
        };
        let waiting = tokio::time::timeout(RELAY_PATIENCE, agreed.wait_for(has_its_positions));
        match waiting.await {
            Ok(_) => Ok(()),
            Err(_) => {
                Err(StoreError::new(act, "the database is yet to be compared with the stream"))
            }
        }
    }

    /// The events of `stream` in `span`, once all of them are in the stream.
    async fn published(
        &self,
        stream: &StreamId,
        span: Span,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        let act = "reading events";
        self.agreed(act).await?;
        let deadline = Instant::now() + RELAY_PATIENCE;
        let mut rows = self.read(stream, span).await?;
        while let Some(version) = rows.iter().rev().find_map(EventRow::unpublished) {
            // First wait, then look again: what happens in between is not missed.
            let published = self.shared.waiters.register(stream, version);
            rows = self.read(stream, span).await?;
            if rows.iter().all(|row| row.unpublished().is_none()) {
                break;
            }
            if tokio::time::timeout_at(deadline, published).await.is_err() {
                return Err(StoreError::new(act, "an event is not in the stream yet"));
            }
            rows = self.read(stream, span).await?;
        }
        let events = rows.into_iter().map(|row| row.recorded(stream));
        events.collect::<Result<_, _>>().map_err(|error| StoreError::new(act, error))
    }

    async fn read(&self, stream: &StreamId, span: Span) -> Result<Vec<EventRow>, StoreError> {
        let reading = rows::read(&self.pool, stream, span);
        let rows = tokio::time::timeout(DATABASE_PATIENCE, reading).await;
        let act = "reading events";
        rows.map_err(|late| StoreError::new(act, late))?
            .map_err(|error| StoreError::new(act, error))
    }
}
