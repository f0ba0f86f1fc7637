//! What the service tells of an article's past, from the events themselves. Adding a query: a file below, and a line.

mod at;
mod history;

use contracts::article::{ArticleRefusal, GetArticleAt, GetHistory};
use eventsourcing::{
    Actor, AggregateId, Answer, EventStore, Head, LoadError, Query, QueryEnvelope, QueryReply,
    RecordedEvent, Refusal, StreamId,
};
use messaging::{RequestServer, ServiceError};

use crate::{domain::Article, store::Store};

/// How a query is answered from the events of its article, of which there is at least one.
trait FromEvents: Query {
    /// The article asked about.
    fn id(&self) -> AggregateId;

    /// The answer from `events`, oldest first.
    fn answer(&self, events: &[RecordedEvent]) -> Result<Self::Answer, Fault>;
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
}

/// Answers every query until the server is stopped.
pub(crate) async fn register(server: &RequestServer, store: &Store) -> anyhow::Result<()> {
    serve::<GetHistory>(server, store).await?;
    serve::<GetArticleAt>(server, store).await
}

async fn serve<Q: FromEvents>(server: &RequestServer, store: &Store) -> anyhow::Result<()> {
    let store = store.clone();
    let handler = move |query: QueryEnvelope<Q>| {
        let store = store.clone();
        async move { read(&store, &query).await }
    };
    Ok(server.query(handler).await?)
}

/// Answers `query` from what is stored now: the past has every position that anybody can know of.
async fn read<Q: FromEvents>(
    store: &Store,
    query: &QueryEnvelope<Q>,
) -> Result<QueryReply<Q::Answer>, ServiceError> {
    let stream = StreamId::new(Q::CONTEXT, query.data.id());
    let events = store.load(&stream, Head::default()).await.map_err(|error: LoadError| {
        tracing::error!(error = format!("{:#}", anyhow::Error::from(error)), "query failed");
        ServiceError::Unavailable
    })?;
    let Some(last) = events.last() else {
        return Ok(QueryReply::Refused(ArticleRefusal::NotFound.into()));
    };
    let answer = may_read(&events, query.actor.as_ref()).and_then(|()| query.data.answer(&events));
    match answer {
        Ok(data) => Ok(QueryReply::Answered(Answer { position: last.position, data })),
        Err(Fault::Refused(refusal)) => Ok(QueryReply::Refused(refusal)),
        Err(error @ Fault::Event(_)) => {
            tracing::error!(%error, "query failed");
            Err(ServiceError::Internal)
        }
    }
}

/// What was taken down is past for everybody but those who could change it.
fn may_read(events: &[RecordedEvent], actor: Option<&Actor>) -> Result<(), Fault> {
    let mut article = Article::default();
    for event in events {
        apply(&mut article, event)?;
    }
    let is_theirs = |actor| article.is_of(actor);
    if article.is_deleted() && !actor.is_some_and(is_theirs) {
        return Err(Refusal::from(ArticleRefusal::Deleted).into());
    }
    Ok(())
}

/// `article` after `event`.
fn apply(article: &mut Article, event: &RecordedEvent) -> Result<(), Fault> {
    eventsourcing::Aggregate::apply(article, event.decode()?, &event.context());
    Ok(())
}
