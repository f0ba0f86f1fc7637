//! Snapshots in a key-value bucket, written in the background.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_nats::HeaderMap;
use bytes::Bytes;
use eventsourcing::{SnapshotStore, StreamId, StreamIdentity};
use tokio::{sync::mpsc, task::JoinHandle};

use crate::{
    Connection,
    names::{self, header},
};

/// How many snapshots may wait to be written; more are dropped, since any of them can be made again.
const MAX_WAITING: usize = 2048;
/// How long the last ones may take at the end.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

/// Keeps snapshots in the bucket `SNAPSHOTS`.
///
/// Nobody waits for a write and none is acknowledged: a snapshot that gets lost costs a longer replay.
#[derive(Debug, Clone)]
pub struct JetStreamSnapshots {
    connection: Connection,
    /// The stream that they are of, if somebody knows that.
    stream: Option<StreamIdentity>,
    writer: Arc<Mutex<Option<Writer>>>,
}

#[derive(Debug)]
struct Writer {
    waiting: mpsc::Sender<Written>,
    task: JoinHandle<()>,
}

/// A snapshot on its way.
#[derive(Debug)]
struct Written {
    subject: String,
    stream: Option<StreamIdentity>,
    snapshot: Bytes,
}

impl JetStreamSnapshots {
    /// Starts writing over `connection`.
    #[must_use]
    pub fn start(connection: Connection) -> Self {
        let (waiting, queue) = mpsc::channel(MAX_WAITING);
        let task = tokio::spawn(write(connection.clone(), queue));
        Self {
            connection,
            stream: None,
            writer: Arc::new(Mutex::new(Some(Writer { waiting, task }))),
        }
    }

    /// The same for states that come from the stream `stream`: those of another one are none.
    #[must_use]
    pub fn of(&self, stream: StreamIdentity) -> Self {
        Self { stream: Some(stream), ..self.clone() }
    }

    /// Whether a snapshot with `headers` is of our stream. Those of before anybody noted that are, unless the stream has
    /// lost its end since.
    fn is_ours(&self, headers: &HeaderMap) -> bool {
        let Some(ours) = self.stream else { return true };
        match headers.get(header::STREAM) {
            Some(theirs) => theirs.as_str() == ours.to_string(),
            None => !ours.is_renewed(),
        }
    }

    /// Takes no more, and returns when those that wait are sent, or that takes too long.
    pub async fn close(&self) {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Writer { waiting, task }) = writer else { return };
        drop(waiting);
        if tokio::time::timeout(CLOSE_PATIENCE, task).await.is_err() {
            tracing::debug!("the last snapshots were not written in time");
        }
    }
}

impl SnapshotStore for JetStreamSnapshots {
    async fn load(&self, stream: &StreamId) -> Option<Vec<u8>> {
        let bucket = self.connection.jetstream.get_stream_no_info(names::SNAPSHOTS).await.ok()?;
        // From any replica: whether a snapshot is current is not for it to say.
        let last = bucket.direct_get_last_for_subject(names::snapshot(stream)).await.ok()?;
        self.is_ours(&last.headers).then(|| last.payload.to_vec())
    }

    fn save(&self, stream: &StreamId, snapshot: Vec<u8>) {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(writer) = writer.as_ref() else { return };
        let (subject, snapshot) = (names::snapshot(stream), snapshot.into());
        let written = Written { subject, stream: self.stream, snapshot };
        if writer.waiting.try_send(written).is_err() {
            metrics::counter!("snapshots_dropped_total").increment(1);
        }
    }
}

async fn write(connection: Connection, mut queue: mpsc::Receiver<Written>) {
    while let Some(Written { subject, stream, snapshot }) = queue.recv().await {
        let mut headers = HeaderMap::new();
        if let Some(stream) = stream {
            headers.insert(header::STREAM, stream.to_string());
        }
        // Sent while disconnected it would wait in a buffer that others need.
        if connection.is_connected()
            && let Err(error) =
                connection.client.publish_with_headers(subject, headers, snapshot).await
        {
            tracing::debug!(%error, "writing a snapshot failed");
        }
    }
    if let Err(error) = connection.client.flush().await {
        tracing::debug!(%error, "writing the last snapshots failed");
    }
}
