//! Publishing a batch: aggregates side by side, the events of each in order.

use std::collections::HashMap;

use eventsourcing::{AppendError, EventId, EventStore as _, Head, LoadError, StoreError, StreamId};
use futures_util::{StreamExt as _, stream};
use messaging::JetStreamEventStore;

use crate::{
    Namespace,
    outbox::{Pending, Published},
};

/// Aggregates that are published at once.
const CONCURRENCY: usize = 64;

/// Why the events of an aggregate were not all published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It may work the next time.
    Passing,
    /// The stream has another past than the database.
    Contradicted,
}

/// Publishes `batch` to `target`; tells of each aggregate what is in the stream now, and what was in the way.
pub(crate) async fn publish(
    namespace: &Namespace,
    target: &JetStreamEventStore,
    batch: Vec<Pending>,
) -> Vec<(StreamId, Vec<Published>, Option<Trouble>)> {
    let mut aggregates: HashMap<StreamId, Vec<Pending>> = HashMap::new();
    for pending in batch {
        aggregates.entry(pending.stream.clone()).or_default().push(pending);
    }
    let publishing = aggregates.into_iter().map(|(stream, mut events)| async move {
        events.sort_unstable_by_key(|pending| pending.event.version);
        let (published, trouble) = publish_in_order(namespace, target, events).await;
        (stream, published, trouble)
    });
    stream::iter(publishing).buffer_unordered(CONCURRENCY).collect().await
}

async fn publish_in_order(
    namespace: &Namespace,
    target: &JetStreamEventStore,
    events: Vec<Pending>,
) -> (Vec<Published>, Option<Trouble>) {
    let mut published: Vec<Published> = Vec::with_capacity(events.len());
    for mut pending in events {
        let version = pending.event.version;
        if let Some(last) = published.last()
            && last.version + 1 == version
        {
            pending.previous = Some(last.position);
        }
        let (id, event, stream) = (pending.id, pending.event.id, pending.stream.clone());
        match publish_one(target, pending).await {
            Ok(position) => published.push(Published { id, stream, version, event, position }),
            Err(error) => return (published, Some(note(namespace, &stream, version, &error))),
        }
    }
    (published, None)
}

/// Why one event was not published.
#[derive(Debug, thiserror::Error)]
enum PublishError {
    #[error("the event before it is not in the stream yet")]
    TooEarly,
    #[error("the stream has another event in its place, or none before it")]
    Contradicted,
    #[error("another writer was there, and what it wrote cannot be seen yet")]
    NotSeen,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Publishes one event behind the one before it; tells its position, also when it is there already.
async fn publish_one(target: &JetStreamEventStore, pending: Pending) -> Result<u64, PublishError> {
    let previous = pending.previous.ok_or(PublishError::TooEarly)?;
    let Pending { stream, event, .. } = pending;
    let (id, expected) = (event.id, Head { version: event.version - 1, position: previous });
    match target.append(&stream, expected, vec![event].into()).await {
        Ok(head) => Ok(head.position),
        Err(AppendError::Conflict) => find(target, &stream, expected, id).await,
        // Whether it is stored shows the next time.
        Err(AppendError::Unknown(error) | AppendError::Failed(error)) => Err(error.into()),
        Err(AppendError::Claimed(_)) => Err(PublishError::Contradicted),
    }
}

/// The position of the event `id` behind `expected`: a relay published it before, and did not live to note it.
async fn find(
    target: &JetStreamEventStore,
    stream: &StreamId,
    expected: Head,
    id: EventId,
) -> Result<u64, PublishError> {
    match target.load(stream, expected).await {
        Ok(events) => match events.first() {
            Some(found) if found.event.id == id => Ok(found.position),
            Some(_) => Err(PublishError::Contradicted),
            None => Err(PublishError::NotSeen),
        },
        Err(LoadError::UnknownHead) => Err(PublishError::Contradicted),
        Err(LoadError::Failed(error)) => Err(error.into()),
    }
}

fn note(namespace: &Namespace, stream: &StreamId, version: u64, error: &PublishError) -> Trouble {
    let (id, source) = (stream.aggregate_id, std::error::Error::source(error));
    let source = source.map(ToString::to_string);
    if matches!(error, PublishError::Contradicted) {
        metrics::counter!(namespace.counter("relay_contradictions_total")).increment(1);
        tracing::error!(aggregate.id = %id, aggregate.version = version, %error, "an event cannot be published");
        Trouble::Contradicted
    } else {
        metrics::counter!(namespace.counter("relay_retries_total")).increment(1);
        tracing::warn!(aggregate.id = %id, aggregate.version = version, %error, source, "publishing is tried again");
        Trouble::Passing
    }
}
