//! How far tables are behind the stream, whoever writes them.

use std::time::Duration;

use async_nats::header::NATS_TIME_STAMP;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::metrics::ConsumerMetrics;
use crate::{
    Connection,
    feed::{Feed, FeedError, StreamMessage},
};

/// How often it is measured.
const LOOK: Duration = Duration::from_secs(2);

/// Measures until `stop` how far the tables of the projector `consumer` are behind, whose last known position
/// `position` tells.
///
/// Runs beside [`run_projector`](super::run_projector), also where that does not run: tables that nobody can write fall
/// behind all the same.
pub async fn measure_lag(
    connection: &Connection,
    consumer: &'static str,
    position: impl Fn() -> u64 + Send,
    stop: &CancellationToken,
) {
    let (feed, metrics) = (Feed::new(connection.clone(), consumer), ConsumerMetrics::new(consumer));
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = looks.tick() => {}
        }
        match behind(&feed, position()).await {
            Ok((messages, oldest)) => metrics.lag(messages, oldest),
            // A link that is away is the business of others.
            Err(error) => tracing::debug!(consumer, %error, "looking at the stream failed"),
        }
    }
}

/// How many positions behind the stream's end it is, and the age of the next event; nothing when there is none.
async fn behind(feed: &Feed, position: u64) -> Result<(u64, Duration), FeedError> {
    let Some(next) = feed.page(position, 1, 1).await?.pop() else {
        return Ok((0, Duration::ZERO));
    };
    let age = Duration::try_from(OffsetDateTime::now_utc() - stored(&next)).unwrap_or_default();
    Ok((feed.last_position().await?.saturating_sub(position), age))
}

/// When it was stored: an event's own time is when somebody decided, which for a queued command is long before.
fn stored(message: &StreamMessage) -> OffsetDateTime {
    let time = message.headers.get(NATS_TIME_STAMP);
    let time = time.and_then(|time| OffsetDateTime::parse(time.as_str(), &Rfc3339).ok());
    time.unwrap_or_else(OffsetDateTime::now_utc)
}
