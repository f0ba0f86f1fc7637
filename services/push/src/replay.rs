//! The past of some topics, from the stream.

use std::collections::HashMap;

use axum::extract::ws::Utf8Bytes;
use messaging::feed::{Feed, FeedError, FeedReader};

use crate::{
    frame,
    topic::{Topic, topics_of},
};

/// How many messages are read at once.
const MAX_BATCH: usize = 256;

/// The events of `wanted` after one position, up to and including another.
pub(crate) struct Replay {
    reader: FeedReader,
    wanted: Vec<Topic>,
    /// The client's other topics, and the position after which it hears of each anyway.
    others: HashMap<Topic, u64>,
    to: u64,
    done: bool,
}

impl Replay {
    /// Opens the stream behind `since`.
    pub(crate) async fn open(
        feed: &Feed,
        wanted: Vec<Topic>,
        others: HashMap<Topic, u64>,
        since: u64,
        to: u64,
    ) -> Result<Self, FeedError> {
        let reader = feed.after(since).await?;
        Ok(Self { reader, wanted, others, to, done: since >= to })
    }

    /// The next frames; `None` at the end. Safe to cancel.
    pub(crate) async fn next(&mut self) -> Option<Vec<Utf8Bytes>> {
        if self.done {
            return None;
        }
        let mut frames = Vec::new();
        for message in self.reader.next_batch(MAX_BATCH).await {
            if message.position > self.to {
                self.done = true;
                break;
            }
            self.done = message.position == self.to;
            let Ok(event) = message.event() else { continue };
            let topics = topics_of(&event);
            let heard =
                |topic: &Topic| self.others.get(topic).is_some_and(|from| event.position > *from);
            if topics.iter().any(heard) {
                continue;
            }
            if let Some(topic) = topics.iter().find(|topic| self.wanted.contains(topic)) {
                frames.extend(frame::event(&event, topic));
            }
        }
        Some(frames)
    }
}
