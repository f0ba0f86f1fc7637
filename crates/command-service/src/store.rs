//! The event store that the settings name.

use event_store_postgres::{Database, PostgresEventStore};
use eventsourcing::{AppendError, Commit, EventStore, Head, LoadError, RecordedEvent, StreamId};
use messaging::{Connection, JetStreamEventStore};
use service_kit::Context;

/// Where events are decided upon. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) enum Store {
    /// In the stream.
    JetStream(Box<JetStreamEventStore>),
    /// In a database, from where they are relayed to the stream.
    Postgres(Box<PostgresEventStore>),
}

impl Store {
    /// Opens the store of `service`, which writes events of `contexts`, in `database`, waiting for it as long as it takes, or the
    /// stream's own when there is none.
    ///
    /// `None` when it is time to stop.
    pub(crate) async fn open(
        service: &str,
        contexts: &[&'static str],
        database: Option<Database>,
        connection: &Connection,
        context: &Context,
    ) -> anyhow::Result<Option<Self>> {
        let target = JetStreamEventStore::new(connection.clone());
        let appends = target.appends().clone();
        context.health.follow(format!("{service}: append"), appends.problem(), Option::clone);
        for context_name in contexts {
            let stop = context.lifecycle.stop_token().clone();
            context.lifecycle.spawn(appends.clone().watch(context_name, stop));
        }
        match database {
            None => Ok(Some(Self::JetStream(Box::new(target)))),
            Some(database) => {
                let store =
                    PostgresEventStore::open(database, target.persistent(), context).await?;
                Ok(store.map(Box::new).map(Self::Postgres))
            }
        }
    }

    /// Lets go of it. Nothing is appended after that.
    pub(crate) async fn close(&self) {
        match self {
            Self::JetStream(_) => {}
            Self::Postgres(store) => store.close().await,
        }
    }
}

impl EventStore for Store {
    async fn load(&self, stream: &StreamId, after: Head) -> Result<Vec<RecordedEvent>, LoadError> {
        match self {
            Self::JetStream(store) => store.load(stream, after).await,
            Self::Postgres(store) => store.load(stream, after).await,
        }
    }

    async fn page(&self, stream: &StreamId, after: Head) -> Result<Vec<RecordedEvent>, LoadError> {
        match self {
            Self::JetStream(store) => store.page(stream, after).await,
            Self::Postgres(store) => store.page(stream, after).await,
        }
    }

    async fn last(&self, stream: &StreamId) -> Result<Option<RecordedEvent>, LoadError> {
        match self {
            Self::JetStream(store) => store.last(stream).await,
            Self::Postgres(store) => store.last(stream).await,
        }
    }

    async fn append(
        &self,
        stream: &StreamId,
        expected: Head,
        commit: Commit,
    ) -> Result<Head, AppendError> {
        match self {
            Self::JetStream(store) => store.append(stream, expected, commit).await,
            Self::Postgres(store) => store.append(stream, expected, commit).await,
        }
    }

    async fn pause(&self, attempt: u32) {
        match self {
            Self::JetStream(store) => store.pause(attempt).await,
            Self::Postgres(store) => store.pause(attempt).await,
        }
    }
}
