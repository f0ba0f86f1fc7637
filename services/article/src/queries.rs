//! What the service tells of an article's past, from the events themselves. Adding a query: a file below, and a line.

mod at;
mod bookmarks;
mod history;
mod past;
#[cfg(test)]
mod tests;

use std::{future::Future, sync::Arc, time::Duration};

use contracts::article::{ArticleRefusal, GetArticleAt, GetHistory};
use eventsourcing::{
    AggregateId, Answer, EventStore, LoadError, Query, QueryEnvelope, QueryReply, Refusal,
};
use messaging::{Connection, RequestServer, ServiceError, Throttle};
use tokio::{sync::Semaphore, time::timeout};

use self::{bookmarks::Bookmarks, past::Past};
use crate::{per_stream::PerStream, store::Store};

/// How many queries read at once: each has a page of events in memory, which may be some megabytes.
const MAX_READING: usize = 8;
/// How many may wait for that: far fewer than the service works on at once, so that commands have their place.
const MAX_WAITING: usize = 64;
/// How long one may take, waiting included: as long as somebody waits for it.
const PATIENCE: Duration = Duration::from_secs(5);
/// An article with fewer events is read again as quickly as it is remembered.
const WORTH_A_BOOKMARK: u64 = 64;
/// Held back: what each query may be the reason for.
static CROWDED: Throttle = Throttle::new();
static LATE: Throttle = Throttle::new();
static FAILED: Throttle = Throttle::new();

/// How a query is answered from the events of its article, of which there is at least one.
trait FromEvents: Query {
    /// The article asked about.
    fn id(&self) -> AggregateId;

    /// The version before which it needs no event, if somebody knows the article as it was then.
    fn behind(&self) -> u64;

    /// The answer from its `past`, of which it reads as much as it needs.
    fn answer<S: EventStore>(
        &self,
        past: &mut Past<'_, S>,
    ) -> impl Future<Output = Result<Self::Answer, Fault>> + Send;
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum Fault {
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

/// Answers every query until the server is stopped.
pub(crate) async fn register(
    server: &RequestServer,
    connection: &Connection,
    store: &Store,
) -> anyhow::Result<()> {
    let store = store.clone();
    let make = move |_| Reader::new(store.clone());
    let reader = Arc::new(PerStream::new(connection.clone(), make));
    serve::<GetHistory>(server, &reader).await?;
    serve::<GetArticleAt>(server, &reader).await
}

async fn serve<Q: FromEvents>(
    server: &RequestServer,
    readers: &Arc<PerStream<Reader<Store>>>,
) -> anyhow::Result<()> {
    let readers = readers.clone();
    let handler = move |query: QueryEnvelope<Q>| {
        let readers = readers.clone();
        async move { read(&readers, &query).await }
    };
    Ok(server.query(handler).await?)
}

/// The answer to `query`, and the stream that it is from.
async fn read<Q: FromEvents>(
    readers: &PerStream<Reader<Store>>,
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

struct Reader<S> {
    store: S,
    bookmarks: Bookmarks,
    places: Semaphore,
    turns: Semaphore,
}

impl<S: EventStore> Reader<S> {
    fn new(store: S) -> Self {
        Self {
            store,
            bookmarks: Bookmarks::default(),
            places: Semaphore::new(MAX_READING + MAX_WAITING),
            turns: Semaphore::new(MAX_READING),
        }
    }

    async fn read<Q: FromEvents>(
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
    async fn answer<Q: FromEvents>(
        &self,
        query: &QueryEnvelope<Q>,
    ) -> Result<Answer<Q::Answer>, Fault> {
        let id = query.data.id();
        let bookmark = self.bookmarks.find(id, query.data.behind());
        let Some(mut past) = Past::open(&self.store, id, bookmark).await? else {
            return Err(Refusal::from(ArticleRefusal::NotFound).into());
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
