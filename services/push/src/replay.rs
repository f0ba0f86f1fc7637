//! The past of some topics, from the stream.

use std::{collections::HashMap, time::Duration};

use contracts::{Published, Topic};
use eventsourcing::StreamIdentity;
use messaging::feed::{Feed, FeedError, StreamMessage};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::frame;

/// How many messages, and how many bytes of them, are read at once: every client that replays holds one page.
const PAGE: usize = 200;
const PAGE_BYTES: usize = 256 * 1024;
/// The pause when a replica of the stream has not got there yet.
const PAUSE: Duration = Duration::from_millis(50);

/// How long one waits for knowing which stream it is.
const PATIENCE: Duration = Duration::from_secs(2);

/// There is no next page.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayError {
    #[error(transparent)]
    Feed(#[from] FeedError),
    #[error("the stream is another one, or nobody knows which one it is")]
    Replaced,
}

/// The events of `wanted` behind one position, up to and including another.
pub(crate) struct Replay {
    /// The stream that the positions are of.
    pub(crate) stream: StreamIdentity,
    pub(crate) wanted: Vec<Topic>,
    /// The client's other topics, and the position after which it hears of each anyway.
    pub(crate) others: HashMap<Topic, u64>,
    pub(crate) position: u64,
    pub(crate) to: u64,
}

impl Replay {
    /// The next frames; `None` at the end.
    pub(crate) async fn next(
        &mut self,
        feed: &Feed,
    ) -> Result<Option<Vec<Utf8Bytes>>, ReplayError> {
        if self.position >= self.to {
            return Ok(None);
        }
        let page = feed.page(self.position, PAGE, PAGE_BYTES).await?;
        // Behind a new connection there may be another stream.
        let current =
            feed.stream().sighted_within(PATIENCE).await.map(|sighting| sighting.identity);
        if current != Some(self.stream) {
            return Err(ReplayError::Replaced);
        }
        match page.last() {
            Some(last) => self.position = last.position,
            None => tokio::time::sleep(PAUSE).await,
        }
        let past = page.iter().filter(|message| message.position <= self.to);
        Ok(Some(past.filter_map(|message| self.frame(message)).collect()))
    }

    fn frame(&self, message: &StreamMessage) -> Option<Utf8Bytes> {
        let event = message.event().ok()?;
        let Published { audience, data } = contracts::published(&event)?;
        let topics = audience.topics();
        let heard =
            |topic: &Topic| self.others.get(topic).is_some_and(|from| event.position > *from);
        if topics.iter().any(heard) {
            return None;
        }
        let topic = topics.iter().find(|topic| self.wanted.contains(topic))?;
        frame::event(&event, &data, self.stream, topic)
    }
}
