//! Events on their way into a rebuild, read and decoded while the database is busy with those before.

use std::collections::VecDeque;

use eventsourcing::RecordedEvent;
use messaging::{
    Feed,
    consumer::Rejected,
    feed::{FeedError, StreamMessage},
};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

/// How many events one transaction takes at most: the more, the fewer times the same page of an index is written.
const MAX_BATCH: usize = 16_000;
/// How many events are read at once.
const MAX_READ: usize = 500;
/// How many such reads wait for the database.
const MAX_WAITING: usize = 32;

/// Events for one transaction.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub events: Vec<RecordedEvent>,
    /// What is no event.
    pub unreadable: Vec<Rejected>,
    /// The position of the last message.
    pub last: u64,
}

/// A message that was read.
struct Read {
    position: u64,
    event: Result<RecordedEvent, Rejected>,
}

impl From<StreamMessage> for Read {
    fn from(message: StreamMessage) -> Self {
        let position = message.position;
        let event = message.event().map_err(|error| {
            let (subject, reason) = (message.subject.clone(), error.to_string());
            Rejected { position, subject, reason }
        });
        Self { position, event }
    }
}

/// The events behind a position.
pub(super) struct Incoming {
    reads: mpsc::Receiver<Vec<Read>>,
    waiting: VecDeque<Read>,
    _reader: AbortOnDropHandle<()>,
}

impl Incoming {
    pub(super) async fn open(feed: &Feed, position: u64) -> Result<Self, FeedError> {
        let mut reader = feed.after(position).await?;
        let (sender, reads) = mpsc::channel(MAX_WAITING);
        let task = tokio::spawn(async move {
            loop {
                let messages = reader.next_batch(MAX_READ).await;
                let read = messages.into_iter().map(Read::from).collect();
                if sender.send(read).await.is_err() {
                    return;
                }
            }
        });
        Ok(Self { reads, waiting: VecDeque::new(), _reader: AbortOnDropHandle::new(task) })
    }

    /// The next events up to the position `limit`, as many as there are and fit into a transaction; waits for the first.
    /// `None` when no more will come. Safe to cancel.
    pub(super) async fn next(&mut self, limit: u64) -> Option<Batch> {
        while self.waiting.front().is_none_or(|read| read.position > limit) {
            if self.waiting.len() >= MAX_BATCH {
                // Only a higher limit helps.
                std::future::pending::<()>().await;
            }
            self.waiting.extend(self.reads.recv().await?);
        }
        while self.waiting.len() < MAX_BATCH
            && let Ok(reads) = self.reads.try_recv()
        {
            self.waiting.extend(reads);
        }
        let mut batch = Batch::default();
        while batch.events.len() + batch.unreadable.len() < MAX_BATCH
            && let Some(read) = self.waiting.pop_front_if(|read| read.position <= limit)
        {
            batch.last = read.position;
            match read.event {
                Ok(event) => batch.events.push(event),
                Err(rejected) => batch.unreadable.push(rejected),
            }
        }
        Some(batch)
    }
}
