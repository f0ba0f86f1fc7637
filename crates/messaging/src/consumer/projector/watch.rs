//! Looking at the stream while it is read: whether the reader still gets anything.

use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior};

use crate::feed::Feed;

/// How often the stream is looked at.
const LOOK: Duration = Duration::from_secs(2);
/// How long an event may wait in the stream while the reader delivers nothing.
const STALLED: Duration = Duration::from_secs(6);

pub(super) struct Watch {
    feed: Feed,
    looks: Interval,
    /// The position behind which something waits, and since when.
    waits: Option<(u64, Instant)>,
}

/// What was seen.
pub(super) enum Look {
    /// Nothing is behind the position.
    AtTheEnd,
    /// Something is, or nobody could tell.
    OnTheWay,
    /// The reader has to be opened anew, behind what the tables have; says why.
    BeginAgain(String),
}

impl Watch {
    pub(super) fn new(feed: Feed) -> Self {
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { feed, looks, waits: None }
    }

    /// Returns when it is time for a look. Safe to cancel.
    pub(super) async fn time(&mut self) {
        self.looks.tick().await;
    }

    /// Looks behind `position`.
    pub(super) async fn look(&mut self, position: u64) -> Look {
        match self.feed.page(position, 1, 1).await {
            // A link that is away is the business of others.
            Err(error) => {
                tracing::debug!(%error, "looking at the stream failed");
                return Look::OnTheWay;
            }
            Ok(page) if page.is_empty() => {
                self.waits = None;
                return Look::AtTheEnd;
            }
            Ok(_) => {}
        }
        let since = self.waits.filter(|(at, _)| *at == position);
        let (_, since) = *self.waits.insert(since.unwrap_or((position, Instant::now())));
        if since.elapsed() < STALLED {
            return Look::OnTheWay;
        }
        Look::BeginAgain(format!("events wait, and none was delivered for {STALLED:?}"))
    }
}
