//! The event-store port.

use std::{borrow::Cow, error::Error, fmt, future::Future};

use crate::{AggregateId, Claim, ClaimChanges, NewEvent, RecordedEvent};

/// Names one aggregate's events.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StreamId {
    /// The context that owns the aggregate.
    pub context: Cow<'static, str>,
    /// The aggregate.
    pub aggregate_id: AggregateId,
}

impl StreamId {
    /// The events of `aggregate_id` in `context`.
    pub fn new(context: impl Into<Cow<'static, str>>, aggregate_id: AggregateId) -> Self {
        Self { context: context.into(), aggregate_id }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.context, self.aggregate_id)
    }
}

/// The last event of an aggregate. The default means that there is none.
///
/// Both numbers say the same; a store checks whichever is its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Head {
    /// The version of the last event; 0 when there is none.
    pub version: u64,
    /// The stream position of the last event; 0 when there is none.
    pub position: u64,
}

impl From<&RecordedEvent> for Head {
    fn from(event: &RecordedEvent) -> Self {
        Self { version: event.event.version, position: event.position }
    }
}

/// A store could not do what it was asked; nothing was changed.
#[derive(Debug, thiserror::Error)]
#[error("{act} failed")]
pub struct StoreError {
    /// The act that failed.
    pub act: &'static str,
    /// Why.
    #[source]
    pub source: Box<dyn Error + Send + Sync>,
}

impl StoreError {
    /// `act` failed because of `source`.
    pub fn new(act: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { act, source: source.into() }
    }
}

/// What one command stores: all of it or nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commit {
    /// The events, in order.
    pub events: Vec<NewEvent>,
    /// What they change about the values that the aggregate holds.
    pub claims: ClaimChanges,
}

impl From<Vec<NewEvent>> for Commit {
    fn from(events: Vec<NewEvent>) -> Self {
        Self { events, claims: ClaimChanges::default() }
    }
}

/// Why events were not loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The head is none of this aggregate's: whoever has it knows another past.
    #[error("the aggregate has no such event")]
    UnknownHead,
    /// The store could not be read.
    #[error(transparent)]
    Failed(#[from] StoreError),
}

/// Why an append did not simply succeed.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Another writer was first, or this commit is stored already; nothing was stored now.
    #[error("the aggregate has moved on")]
    Conflict,
    /// Another aggregate holds the value; nothing was stored.
    #[error("{} is taken", .0.kind())]
    Claimed(Claim),
    /// Nobody answered in time; the events may be stored, now or a moment later.
    #[error("the outcome of the append is unknown")]
    Unknown(#[source] StoreError),
    /// Nothing was stored.
    #[error(transparent)]
    Failed(#[from] StoreError),
}

/// Keeps the events of aggregates in order. Every implementation passes `conformance`.
pub trait EventStore: Send + Sync + 'static {
    /// The events of `stream` after `after`, oldest first; empty when there are none.
    fn load(
        &self,
        stream: &StreamId,
        after: Head,
    ) -> impl Future<Output = Result<Vec<RecordedEvent>, LoadError>> + Send;

    /// The first of the events of `stream` after `after`, oldest first: as many as the store likes to have in memory at
    /// once, at least one unless there are none.
    ///
    /// For whoever goes through a history that may be longer than fits. A store in memory has it all there anyway.
    fn page(
        &self,
        stream: &StreamId,
        after: Head,
    ) -> impl Future<Output = Result<Vec<RecordedEvent>, LoadError>> + Send {
        self.load(stream, after)
    }

    /// The last event of `stream`, if there is one.
    fn last(
        &self,
        stream: &StreamId,
    ) -> impl Future<Output = Result<Option<RecordedEvent>, LoadError>> + Send {
        async { Ok(self.load(stream, Head::default()).await?.pop()) }
    }

    /// Stores `commit`, all or nothing, if the last event of `stream` is `expected` and nobody else holds what it
    /// takes; tells the new last event.
    ///
    /// Acknowledged means durable to the degree that the store is configured for.
    fn append(
        &self,
        stream: &StreamId,
        expected: Head,
        commit: Commit,
    ) -> impl Future<Output = Result<Head, AppendError>> + Send;

    /// Waits before attempt number `attempt` + 1 (1, 2, 3 …) of a writer that was not first.
    ///
    /// A store that other processes write to waits a random while, so that not all come back together.
    fn pause(&self, attempt: u32) -> impl Future<Output = ()> + Send {
        let _ = attempt;
        async {}
    }
}

impl<S: EventStore> EventStore for std::sync::Arc<S> {
    async fn load(&self, stream: &StreamId, after: Head) -> Result<Vec<RecordedEvent>, LoadError> {
        S::load(self, stream, after).await
    }

    async fn page(&self, stream: &StreamId, after: Head) -> Result<Vec<RecordedEvent>, LoadError> {
        S::page(self, stream, after).await
    }

    async fn last(&self, stream: &StreamId) -> Result<Option<RecordedEvent>, LoadError> {
        S::last(self, stream).await
    }

    async fn append(
        &self,
        stream: &StreamId,
        expected: Head,
        commit: Commit,
    ) -> Result<Head, AppendError> {
        S::append(self, stream, expected, commit).await
    }

    async fn pause(&self, attempt: u32) {
        S::pause(self, attempt).await;
    }
}
