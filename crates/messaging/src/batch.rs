//! Atomic batch publish (NATS ADR-50): several messages of one stream, all or none.
//!
//! On a single node with file storage a batch costs tens of milliseconds, whatever its size, so it is used
//! only where atomicity across messages is needed.

use std::{sync::Arc, time::Duration};

use async_nats::jetstream::response::Response;
use async_nats::{HeaderMap, RequestErrorKind, jetstream::publish::PublishAck};
use eventsourcing::{AppendError, StoreError};

use tokio::sync::Semaphore;

use crate::{
    Connection,
    consumer::Backoff,
    publish::{Outgoing, is_conflict},
};

const BATCH_ID: &str = "Nats-Batch-Id";
const BATCH_SEQUENCE: &str = "Nats-Batch-Sequence";
const BATCH_COMMIT: &str = "Nats-Batch-Commit";

/// The batch was abandoned or there are too many open ones: another attempt needs a new batch id.
const ABANDONED: [u64; 2] = [10176, 10210];
/// A message id of the batch is in the stream already: our own earlier batch, found by reading back.
const DUPLICATE: u64 = 10201;
/// How often an abandoned batch is sent again, and after which pauses.
const MAX_ATTEMPTS: u32 = 5;
const BACKOFF: Backoff =
    Backoff { base: Duration::from_millis(20), max: Duration::from_millis(500) };
/// How many batches a process has open at once: the server takes 50 for a stream.
const MAX_OPEN: usize = 16;

/// The batches of a process. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Batches {
    open: Arc<Semaphore>,
}

impl Default for Batches {
    fn default() -> Self {
        Self { open: Arc::new(Semaphore::new(MAX_OPEN)) }
    }
}

/// Stores `messages`, all or none; tells the position of the last.
pub(crate) async fn publish(
    connection: &Connection,
    batches: &Batches,
    messages: &[Outgoing],
) -> Result<u64, AppendError> {
    let open = batches.open.acquire().await;
    let _open = open.map_err(|error| StoreError::new("opening a batch", error))?;
    let mut attempt = 1;
    loop {
        match commit(connection, messages).await? {
            Response::Ok(ack) => return Ok(ack.sequence),
            Response::Err { error } if is_conflict(error.error_code().0) => {
                return Err(AppendError::Conflict);
            }
            Response::Err { error } if error.error_code().0 == DUPLICATE => {
                return Err(AppendError::Conflict);
            }
            Response::Err { error }
                if ABANDONED.contains(&error.error_code().0) && attempt < MAX_ATTEMPTS =>
            {
                tokio::time::sleep(BACKOFF.pause(attempt)).await;
                attempt += 1;
            }
            Response::Err { error } => {
                return Err(StoreError::new("publishing a batch", error).into());
            }
        }
    }
}

/// Sends every message but the last without waiting, and the last as the request that commits.
async fn commit(
    connection: &Connection,
    messages: &[Outgoing],
) -> Result<Response<PublishAck>, AppendError> {
    let id = uuid::Uuid::now_v7().to_string();
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| {
        AppendError::Failed(StoreError::new("publishing a batch", source))
    };
    let unknown = |source: Box<dyn std::error::Error + Send + Sync>| {
        AppendError::Unknown(StoreError::new("committing a batch", source))
    };
    let Some((last, rest)) = messages.split_last() else {
        return Err(failed("an empty batch".into()));
    };
    for (index, message) in rest.iter().enumerate() {
        let headers = numbered(&message.headers, &id, index + 1);
        connection
            .client
            .publish_with_headers(message.subject.clone(), headers, message.payload.clone())
            .await
            .map_err(|error| failed(error.into()))?;
    }
    let mut headers = numbered(&last.headers, &id, messages.len());
    headers.insert(BATCH_COMMIT, "1");
    let reply = connection
        .client
        .request_with_headers(last.subject.clone(), headers, last.payload.clone())
        .await
        .map_err(|error| match error.kind() {
            RequestErrorKind::TimedOut | RequestErrorKind::Other => unknown(error.into()),
            _ => failed(error.into()),
        })?;
    serde_json::from_slice(&reply.payload).map_err(|error| unknown(error.into()))
}

fn numbered(headers: &HeaderMap, id: &str, sequence: usize) -> HeaderMap {
    let mut headers = headers.clone();
    headers.insert(BATCH_ID, id);
    headers.insert(BATCH_SEQUENCE, sequence.to_string());
    headers
}
