//! Events on their way into tables, read and decoded while the database is busy with those before.

use std::{collections::VecDeque, sync::Arc};

use eventsourcing::RecordedEvent;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::task::AbortOnDropHandle;

use super::Rejected;
use crate::{
    Mark,
    feed::{Feed, FeedError, StreamMessage, StreamReplaced},
};

/// How many events one transaction takes at most: the more, the fewer times the same page of an index is written.
const MAX_BATCH: usize = 16_000;
/// How many bytes of events one transaction takes, or little more; as many may wait for the next one.
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// About what an event takes beside its data, in bytes.
const OVERHEAD: usize = 512;
/// How many events are read at once.
const MAX_READ: usize = 500;

/// How often the size of a transaction is halved at most.
const MAX_HALVINGS: u32 = 6;

/// Events for one transaction.
#[derive(Debug, Default)]
pub struct Batch {
    /// In the order of the stream.
    pub events: Vec<RecordedEvent>,
    /// What is no event.
    pub unreadable: Vec<Rejected>,
    /// The position of the last message.
    pub last: u64,
    /// When the server stored it.
    pub stored_at: i64,
}

impl Batch {
    /// Where tables of the stream of `from` are with it.
    #[must_use]
    pub fn end(&self, from: Mark) -> Mark {
        Mark { position: self.last, stored_at: self.stored_at, ..from }
    }
}

/// No more events will come.
#[derive(Debug, thiserror::Error)]
pub enum IncomingError {
    /// What would come is of another stream.
    #[error(transparent)]
    Replaced(#[from] StreamReplaced),
    /// The reader has ended, which is a bug.
    #[error("reading the stream ended")]
    Ended,
}

/// A message that was read.
struct Read {
    position: u64,
    stored_at: i64,
    bytes: usize,
    event: Result<RecordedEvent, Rejected>,
}

/// Messages that were read together, and the room that they take among those that wait.
struct Reads {
    reads: Vec<Read>,
    _room: OwnedSemaphorePermit,
}

impl From<StreamMessage> for Read {
    fn from(message: StreamMessage) -> Self {
        let (position, bytes) = (message.position, message.payload.len() + OVERHEAD);
        let stored_at = message.stored_at;
        let event = message.event().map_err(|error| {
            let (subject, reason) = (message.subject.clone(), error.to_string());
            Rejected { position, subject, reason }
        });
        Self { position, stored_at, bytes, event }
    }
}

/// The events behind a position, as many at a time as there are: few while a reader is at the end of the stream, many while
/// it is far behind.
pub struct Incoming {
    reads: mpsc::UnboundedReceiver<Result<Reads, StreamReplaced>>,
    /// How often the size of a transaction is halved.
    halvings: u32,
    waiting: VecDeque<Read>,
    /// How many bytes those are.
    bytes: usize,
    _reader: AbortOnDropHandle<()>,
}

impl Incoming {
    /// Those behind `from`, after `failures` in a row: each halves the size of a transaction, since the database may not
    /// have managed one of that size in time.
    ///
    /// # Errors
    /// The stream cannot be read.
    pub async fn open(feed: &Feed, from: Mark, failures: u32) -> Result<Self, FeedError> {
        let mut reader = feed.after_in(from.stream, from.position).await?;
        let (sender, reads) = mpsc::unbounded_channel();
        // What bounds the channel: its reads are of very different sizes.
        let room = Arc::new(Semaphore::new(MAX_BYTES));
        let task = tokio::spawn(async move {
            loop {
                let messages = match reader.next_batch(MAX_READ).await {
                    Ok(messages) => messages,
                    Err(replaced) => {
                        let _ = sender.send(Err(replaced));
                        return;
                    }
                };
                let reads: Vec<Read> = messages.into_iter().map(Read::from).collect();
                let bytes = reads.iter().map(|read| read.bytes).sum::<usize>().min(MAX_BYTES);
                let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
                let Ok(room) = room.clone().acquire_many_owned(bytes).await else { return };
                if sender.send(Ok(Reads { reads, _room: room })).is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            reads,
            halvings: failures.min(MAX_HALVINGS),
            waiting: VecDeque::new(),
            bytes: 0,
            _reader: AbortOnDropHandle::new(task),
        })
    }

    /// The next events up to the position `limit`, as many as there are and fit into a transaction; waits for the first.
    /// Safe to cancel.
    ///
    /// # Errors
    /// No more will come.
    pub async fn next(&mut self, limit: u64) -> Result<Batch, IncomingError> {
        while self.waiting.front().is_none_or(|read| read.position > limit) {
            if self.is_full() {
                // Only a higher limit helps.
                std::future::pending::<()>().await;
            }
            let more = self.reads.recv().await.ok_or(IncomingError::Ended)?;
            self.wait(more?);
        }
        while !self.is_full()
            && let Ok(more) = self.reads.try_recv()
        {
            self.wait(more?);
        }
        let (mut batch, mut bytes) = (Batch::default(), 0);
        while batch.events.len() + batch.unreadable.len() < MAX_BATCH >> self.halvings
            && bytes < MAX_BYTES >> self.halvings
            && let Some(read) = self.waiting.pop_front_if(|read| read.position <= limit)
        {
            bytes += read.bytes;
            self.bytes -= read.bytes;
            (batch.last, batch.stored_at) = (read.position, read.stored_at);
            match read.event {
                Ok(event) => batch.events.push(event),
                Err(rejected) => batch.unreadable.push(rejected),
            }
        }
        Ok(batch)
    }

    /// Whether there is enough for a transaction.
    fn is_full(&self) -> bool {
        self.waiting.len() >= MAX_BATCH || self.bytes >= MAX_BYTES
    }

    fn wait(&mut self, more: Reads) {
        self.bytes += more.reads.iter().map(|read| read.bytes).sum::<usize>();
        self.waiting.extend(more.reads);
    }
}
