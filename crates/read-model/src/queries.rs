//! Questions that are answered from the tables.

pub mod cursor;
pub mod page;

use std::{future::Future, sync::Arc, time::Duration};

use eventsourcing::{Answer, Query, QueryEnvelope, QueryReply, Refusal, StreamIdentity};
use messaging::{Connection, RequestServer, ServiceError, Throttle};
use tokio::sync::Semaphore;

use crate::{
    catalog::Database,
    live::Live,
    model::{DatabaseError, ReadModel},
    origin,
    reads::Reads,
    tables::{Seen, Tables},
};

/// How many reads may wait for a position at once: fewer than a service works on.
const MAX_WAITING: usize = 128;
/// Held back: what each query may be the reason for.
static UNREADABLE: Throttle = Throttle::new();
static BEHIND: Throttle = Throttle::new();
static FAILED: Throttle = Throttle::new();

/// A query that is answered from the tables of the read model `M`. One implementation a file, beside an [`Ask`] for each database.
pub trait TableQuery<M: ReadModel>: Query {
    /// What the tables are asked.
    type Question: Clone + Send + Sync;
    /// What they answer.
    type Rows: Send;

    /// What to ask; refuses what makes no sense before anything is read.
    ///
    /// # Errors
    /// The refusal that the sender gets.
    fn question(&self) -> Result<Self::Question, Refusal>;

    /// The cursor, if that stands for a position: then it is of use in one stream only.
    fn cursor(&mut self) -> Option<&mut String> {
        None
    }

    /// The cursor of the next page, if that stands for a position.
    fn next(_answer: &mut Self::Answer) -> Option<&mut String> {
        None
    }

    /// The answer in the words of the contract.
    ///
    /// # Errors
    /// There is none.
    fn answer(question: Self::Question, rows: Self::Rows) -> Result<Self::Answer, Fault>;
}

/// How the database `DB` is asked.
pub trait Ask<M: ReadModel, DB: sqlx::Database>: TableQuery<M> {
    /// Asks `question`; answer and position are from one state of the tables.
    fn ask(
        tables: &Reads<DB>,
        question: Self::Question,
    ) -> impl Future<Output = Result<Seen<Self::Rows>, DatabaseError>> + Send;
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The question has none.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A row is not what was written.
    #[error("a row cannot be read: {0}")]
    Row(String),
}

/// Answers `Q` until the server is stopped.
pub(crate) async fn register<D, Q>(server: &RequestServer, reader: &Reader<D>) -> anyhow::Result<()>
where
    D: Database,
    Q: Ask<D::Model, Sql<D>>,
{
    let reader = reader.clone();
    let handler = move |query| {
        let reader = reader.clone();
        async move { reader.read::<Q>(query).await }
    };
    Ok(server.query(handler).await?)
}

/// The database that the generations of `D` are in.
type Sql<D> = <<D as Database>::Tables as Tables>::Sql;

/// Reads what is live.
pub(crate) struct Reader<D: Database> {
    connection: Connection,
    live: Live<D>,
    max_wait: Duration,
    waiting: Arc<Semaphore>,
}

impl<D: Database> Clone for Reader<D> {
    fn clone(&self) -> Self {
        let (live, waiting) = (self.live.clone(), self.waiting.clone());
        Self { connection: self.connection.clone(), live, waiting, max_wait: self.max_wait }
    }
}

impl<D: Database> Reader<D> {
    /// Reads what is `live`; a read may wait for a position as long as `max_wait`.
    pub(crate) fn new(connection: &Connection, live: &Live<D>, max_wait: Duration) -> Self {
        let waiting = Arc::new(Semaphore::new(MAX_WAITING));
        Self { connection: connection.clone(), live: live.clone(), max_wait, waiting }
    }

    async fn read<Q: Ask<D::Model, Sql<D>>>(
        &self,
        mut query: QueryEnvelope<Q>,
    ) -> Result<QueryReply<Q::Answer>, ServiceError> {
        let stream = origin::of_live(&self.connection, &self.live, self.max_wait).await?;
        if let (Some(stream), Some(wanted)) = (stream, query.stream)
            && stream != wanted
        {
            return Ok(QueryReply::Refused(Refusal::another_stream(stream)));
        }
        if let (Some(cursor), Some(stream)) = (query.data.cursor(), stream)
            && !cursor::take_stream(cursor, stream)
        {
            return Ok(QueryReply::Refused(Refusal::another_stream(stream)));
        }
        let question = match query.data.question() {
            Ok(question) => question,
            Err(refusal) => return Ok(QueryReply::Refused(refusal)),
        };
        let min = query.min_position.unwrap_or(0);
        let Some(seen) = self.see::<Q>(&question, min).await? else {
            if let Some(refusal) = self.never_given_out(min, stream).await? {
                return Ok(QueryReply::Refused(refusal));
            }
            if let Some(held_back) = BEHIND.pass() {
                tracing::info!(position = min, held_back, "read model is behind");
            }
            return Err(ServiceError::ProjectionBehind);
        };
        // Replaced meanwhile: nobody knows which of the two was read.
        if self.connection.stream().current() != stream {
            return Err(ServiceError::Unavailable);
        }
        match Q::answer(question, seen.data) {
            Ok(mut data) => {
                if let (Some(next), Some(stream)) = (Q::next(&mut data), stream) {
                    cursor::put_stream(next, stream);
                }
                Ok(QueryReply::Answered(Answer { position: seen.position, stream, data }))
            }
            Err(Fault::Refused(refusal)) => {
                Ok(QueryReply::Refused(refusal.at(seen.position).of(stream)))
            }
            Err(error @ Fault::Row(_)) => {
                if let Some(held_back) = UNREADABLE.pass() {
                    tracing::error!(%error, held_back, "a row of the read model cannot be read");
                }
                Err(ServiceError::Internal)
            }
        }
    }

    /// The refusal of a position behind the end of `stream`: it is of another one, and waiting for it would never end.
    ///
    /// Asked only of a position that the tables did not reach in time, and for no more than may wait at once.
    async fn never_given_out(
        &self,
        position: u64,
        stream: Option<StreamIdentity>,
    ) -> Result<Option<Refusal>, ServiceError> {
        let (Some(stream), Ok(_place)) = (stream, self.waiting.try_acquire()) else {
            return Ok(None);
        };
        let end = self.connection.stream().stream().end().await.map_err(|error| {
            tracing::warn!(%error, "asking for the end of the stream failed");
            ServiceError::Unavailable
        })?;
        let is_of_another = end.is_some_and(|(of, end)| of == stream && end < position);
        Ok(is_of_another.then(|| Refusal::another_stream(stream)))
    }

    /// Only some may wait for a position, so that others can still read.
    async fn see<Q: Ask<D::Model, Sql<D>>>(
        &self,
        question: &Q::Question,
        min: u64,
    ) -> Result<Option<Seen<Q::Rows>>, ServiceError> {
        let place = self.waiting.try_acquire();
        let max_wait = if place.is_ok() { self.max_wait } else { Duration::ZERO };
        let read = |tables: D::Tables| {
            let question = question.clone();
            async move { Q::ask(tables.reads(), question).await }
        };
        match self.live.read(min, max_wait, read).await {
            Ok(seen) => {
                if let Some(held_back) = FAILED.over() {
                    tracing::info!(held_back, "queries are answered again");
                }
                Ok(seen)
            }
            Err(error) => {
                if let Some(held_back) = FAILED.pass() {
                    tracing::error!(%error, held_back, "query failed");
                }
                Err(ServiceError::Unavailable)
            }
        }
    }
}
