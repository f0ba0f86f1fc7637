//! Every query that the service answers. Adding one: a file below, and a line here.

mod cursor;
mod get;
mod list;
mod row;
mod search;

use std::{sync::Arc, time::Duration};

use contracts::article::{GetArticle, ListArticles, SearchArticles};
use eventsourcing::{Answer, Query, QueryEnvelope, QueryReply, Refusal};
use messaging::{Connection, RequestServer, ServiceError};
use sqlx::{Sqlite, Transaction};
use tokio::sync::Semaphore;

use crate::{NAME, read_model::ReadModel};

/// How many reads may wait for a position at once: fewer than a service works on.
const MAX_WAITING: usize = 128;

/// Answers every query until the server is stopped.
pub(crate) async fn serve(
    connection: &Connection,
    read_model: &ReadModel,
    max_wait: Duration,
) -> anyhow::Result<RequestServer> {
    let server = RequestServer::start(connection, NAME).await?;
    let reader = Reader {
        read_model: read_model.clone(),
        max_wait,
        waiting: Arc::new(Semaphore::new(MAX_WAITING)),
    };
    register::<GetArticle>(&server, &reader).await?;
    register::<ListArticles>(&server, &reader).await?;
    register::<SearchArticles>(&server, &reader).await?;
    server.ready().await?;
    Ok(server)
}

/// How a query is answered from the tables. One implementation a file.
trait FromTables: Query {
    fn answer(
        &self,
        tables: &mut Tables,
    ) -> impl Future<Output = Result<Self::Answer, Fault>> + Send;
}

/// One state of all tables.
type Tables = Transaction<'static, Sqlite>;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum Fault {
    /// The question has none.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// A row is not what was written.
    #[error("a row cannot be read: {0}")]
    Row(String),
}

async fn register<Q: FromTables>(server: &RequestServer, reader: &Reader) -> anyhow::Result<()> {
    let reader = reader.clone();
    let handler = move |query| {
        let reader = reader.clone();
        async move { reader.read::<Q>(query).await }
    };
    Ok(server.query(handler).await?)
}

#[derive(Clone)]
struct Reader {
    read_model: ReadModel,
    max_wait: Duration,
    waiting: Arc<Semaphore>,
}

impl Reader {
    /// Whether the position is reached in time. Only some may wait, so that others can still read.
    async fn reaches(&self, position: u64) -> bool {
        let Ok(_place) = self.waiting.try_acquire() else {
            return self.read_model.reaches(position, Duration::ZERO).await;
        };
        self.read_model.reaches(position, self.max_wait).await
    }

    async fn read<Q: FromTables>(
        &self,
        query: QueryEnvelope<Q>,
    ) -> Result<QueryReply<Q::Answer>, ServiceError> {
        if let Some(position) = query.min_position
            && !self.reaches(position).await
        {
            tracing::info!(position, "read model is behind");
            return Err(ServiceError::ProjectionBehind);
        }
        let (mut tables, position) = self.read_model.read(NAME).await.map_err(|error| {
            tracing::error!(%error, "reading the position failed");
            ServiceError::Unavailable
        })?;
        match query.data.answer(&mut tables).await {
            Ok(data) => Ok(QueryReply::Answered(Answer { position, data })),
            Err(Fault::Refused(refusal)) => Ok(QueryReply::Refused(refusal)),
            Err(Fault::Database(error)) => {
                tracing::error!(%error, "query failed");
                Err(ServiceError::Unavailable)
            }
            Err(error @ Fault::Row(_)) => {
                tracing::error!(%error, "query failed");
                Err(ServiceError::Internal)
            }
        }
    }
}
