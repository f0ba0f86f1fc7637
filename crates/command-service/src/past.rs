//! Questions about an aggregate's past, answered from the events themselves.

mod bookmarks;
pub mod history;
mod moment;
mod replay;
#[cfg(test)]
mod tests;

use std::{future::Future, sync::Arc, time::Duration};

use eventsourcing::{
    Actor, Aggregate, AggregateId, Answer, EventStore, LoadError, Query, QueryEnvelope, QueryReply,
    Refusal,
};
use messaging::{RequestServer, ServiceError, Throttle};
use tokio::{sync::Semaphore, time::timeout};

use self::bookmarks::Bookmarks;
pub use self::replay::Replay;
use crate::{per_stream::PerStream, store::Store};

/// How many queries read at once: each has a page of events in memory, which may be some megabytes.
const MAX_READING: usize = 8;
/// How many may wait for that: far fewer than the service works on at once, so that commands have their place.
const MAX_WAITING: usize = 64;
/// How long one may take, waiting included: as long as somebody waits for it.
const PATIENCE: Duration = Duration::from_secs(5);
/// An aggregate with fewer events is read again as quickly as it is remembered.
const WORTH_A_BOOKMARK: u64 = 64;
/// Held back: what each query may be the reason for.
static CROWDED: Throttle = Throttle::new();
static LATE: Throttle = Throttle::new();
static FAILED: Throttle = Throttle::new();

/// An aggregate whose past can be asked about.
pub trait Past: Aggregate {
    /// The answer when there is no event of the aggregate that is asked about.
    fn unknown() -> Refusal;

    /// Refuses an `actor`, who may be nobody, to whom the past is not told.
    ///
    /// The state is made of the first event and the last only: so long as those two tell, no other is read.
    ///
    /// # Errors
    /// The refusal that the actor gets.
    fn may_read(&self, actor: Option<&Actor>) -> Result<(), Refusal>;
}

/// How a query is answered from the events of its aggregate, of which there is at least one.
pub trait PastQuery<A: Past>: Query {
    /// The aggregate asked about.
    fn id(&self) -> AggregateId;

    /// The version before which it needs no event, if somebody knows the aggregate as it was then.
    fn behind(&self) -> u64;

    /// The answer from the `past`, of which it reads as much as it needs.
    fn answer<S: EventStore>(
        &self,
        past: &mut Replay<'_, A, S>,
    ) -> impl Future<Output = Result<Self::Answer, Fault>> + Send;
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The question has none.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A stored event cannot be read.
    #[error(transparent)]
    Event(#[from] eventsourcing::DecodeError),
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] LoadError),
}

/// A reader of the aggregates `A` for each stream.
pub(crate) type Readers<A> = Arc<PerStream<Reader<A, Store>>>;

/// Answers `Q` until the server is stopped.
pub(crate) async fn serve<A: Past, Q: PastQuery<A>>(
    server: &RequestServer,
    readers: Readers<A>,
) -> anyhow::Result<()> {
    let handler = move |query: QueryEnvelope<Q>| {
        let readers = readers.clone();
        async move { read(&readers, &query).await }
    };
    Ok(server.query(handler).await?)
}

/// The answer to `query`, and the stream that it is from.
async fn read<A: Past, Q: PastQuery<A>>(
    readers: &PerStream<Reader<A, Store>>,
    query: &QueryEnvelope<Q>,
) -> Result<QueryReply<Q::Answer>, ServiceError> {
    let (stream, reader) = readers.current().await?;
    if query.stream.is_some_and(|wanted| wanted != stream) {
        return Ok(QueryReply::Refused(Refusal::another_stream(stream)));
    }
    let reply = reader.read(query).await?;
    if !readers.is_still(stream).await {
        return Err(ServiceError::Unavailable);
    }
    let stream = Some(stream);
    Ok(match reply {
        QueryReply::Answered(answer) => QueryReply::Answered(Answer { stream, ..answer }),
        QueryReply::Refused(refusal) => QueryReply::Refused(refusal.of(stream)),
    })
}

/// Reads the past of aggregates, a few at a time.
pub(crate) struct Reader<A, S> {
    store: S,
    bookmarks: Bookmarks<A>,
    places: Semaphore,
    turns: Semaphore,
}

impl<A: Aggregate, S: EventStore> Reader<A, S> {
    pub(crate) fn new(store: S) -> Self {
        Self {
            store,
            bookmarks: Bookmarks::default(),
            places: Semaphore::new(MAX_READING + MAX_WAITING),
            turns: Semaphore::new(MAX_READING),
        }
    }
}

impl<A: Past, S: EventStore> Reader<A, S> {
    async fn read<Q: PastQuery<A>>(
        &self,
        query: &QueryEnvelope<Q>,
    ) -> Result<QueryReply<Q::Answer>, ServiceError> {
        let Ok(_place) = self.places.try_acquire() else {
            if let Some(held_back) = CROWDED.pass() {
                tracing::warn!(held_back, "too many ask about the past");
            }
            return Err(ServiceError::Unavailable);
        };
        let reading = async {
            let _turn = self.turns.acquire().await;
            self.answer(query).await
        };
        let Ok(answer) = timeout(PATIENCE, reading).await else {
            if let Some(held_back) = LATE.pass() {
                tracing::warn!(held_back, "a query about the past took too long");
            }
            return Err(ServiceError::DeadlineExceeded);
        };
        match answer {
            Ok(answer) => {
                if let Some(held_back) = FAILED.over() {
                    tracing::info!(held_back, "queries about the past are answered again");
                }
                Ok(QueryReply::Answered(answer))
            }
            Err(Fault::Refused(refusal)) => Ok(QueryReply::Refused(refusal)),
            Err(error) => {
                let answer = service_error(&error);
                if let Some(held_back) = FAILED.pass() {
                    let error = format!("{:#}", anyhow::Error::from(error));
                    tracing::error!(error, held_back, "a query about the past failed");
                }
                Err(answer)
            }
        }
    }

    /// Answers `query` from what is stored now: the past has every position that anybody can know of.
    async fn answer<Q: PastQuery<A>>(
        &self,
        query: &QueryEnvelope<Q>,
    ) -> Result<Answer<Q::Answer>, Fault> {
        let id = query.data.id();
        let bookmark = self.bookmarks.find(id, query.data.behind());
        let Some(mut past) = Replay::open(&self.store, id, bookmark).await? else {
            return Err(A::unknown().into());
        };
        let position = past.position();
        let at = |fault: Fault| match fault {
            Fault::Refused(refusal) => Fault::Refused(refusal.at(position)),
            fault => fault,
        };
        past.may_read(query.actor.as_ref()).map_err(at)?;
        let data = query.data.answer(&mut past).await.map_err(at)?;
        if past.has_more() && past.version() >= WORTH_A_BOOKMARK {
            self.bookmarks.keep(past.bookmark());
        }
        Ok(Answer { position, stream: None, data })
    }
}

fn service_error(fault: &Fault) -> ServiceError {
    match fault {
        Fault::Store(_) => ServiceError::Unavailable,
        Fault::Refused(_) | Fault::Event(_) => ServiceError::Internal,
    }
}
