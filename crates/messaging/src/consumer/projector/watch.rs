//! Looking at the stream while it is read: how far the projector is behind, and whether it still gets anything.

use std::time::Duration;

use async_nats::header::NATS_TIME_STAMP;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::time::{Instant, Interval, MissedTickBehavior};

use crate::{
    consumer::metrics::ConsumerMetrics,
    feed::{Feed, FeedError, StreamMessage},
};

/// How often the stream is looked at.
const LOOK: Duration = Duration::from_secs(2);
/// How long an event may wait in the stream while the reader delivers nothing.
const STALLED: Duration = Duration::from_secs(6);

pub(super) struct Watch {
    feed: Feed,
    metrics: ConsumerMetrics,
    looks: Interval,
    /// The position behind which something waits, and since when.
    waits: Option<(u64, Instant)>,
}

impl Watch {
    pub(super) fn new(feed: Feed, metrics: ConsumerMetrics) -> Self {
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { feed, metrics, looks, waits: None }
    }

    /// A new reader has begun: what waited before says nothing about it.
    pub(super) fn begin(&mut self) {
        self.waits = None;
    }

    /// Returns when it is time for a look. Safe to cancel.
    pub(super) async fn time(&mut self) {
        self.looks.tick().await;
    }

    /// Measures how much there is behind `position`; tells why, when the reader has to be opened again.
    pub(super) async fn look(&mut self, position: u64) -> Option<String> {
        let (behind, age) = match self.behind(position).await {
            Ok(behind) => behind,
            // A link that is away is the business of others.
            Err(error) => {
                tracing::debug!(%error, "looking at the stream failed");
                return None;
            }
        };
        self.metrics.lag(behind, age);
        if behind == 0 {
            self.waits = None;
            return None;
        }
        let since = self.waits.filter(|(at, _)| *at == position);
        let (_, since) = *self.waits.insert(since.unwrap_or((position, Instant::now())));
        (since.elapsed() >= STALLED)
            .then(|| format!("events wait, and none was delivered for {STALLED:?}"))
    }

    /// How many positions behind the stream's end it is, and the age of the next event; nothing when there is none.
    async fn behind(&self, position: u64) -> Result<(u64, Duration), FeedError> {
        let Some(next) = self.feed.page(position, 1, 1).await?.pop() else {
            return Ok((0, Duration::ZERO));
        };
        let age = Duration::try_from(OffsetDateTime::now_utc() - stored(&next)).unwrap_or_default();
        Ok((self.feed.last_position().await?.saturating_sub(position), age))
    }
}

/// When it was stored: an event's own time is when somebody decided, which for a queued command is long before.
fn stored(message: &StreamMessage) -> OffsetDateTime {
    let time = message.headers.get(NATS_TIME_STAMP);
    let time = time.and_then(|time| OffsetDateTime::parse(time.as_str(), &Rfc3339).ok());
    time.unwrap_or_else(OffsetDateTime::now_utc)
}
