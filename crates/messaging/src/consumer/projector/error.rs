//! Why a batch was not committed, and why a consumer cannot go on.

use std::error::Error;

use eventsourcing::{StoreError, StreamIdentity};

use crate::{consumer::DeadLetterError, feed::FeedError};

/// A consumer cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ConsumerError {
    /// The tables were made from another stream, or from an end that this one has lost.
    #[error(
        "{name} is at position {position}, but its database belongs to another stream: {reason}"
    )]
    AnotherStream {
        /// The consumer.
        name: &'static str,
        /// The position in its tables.
        position: u64,
        /// The stream that is there.
        stream: StreamIdentity,
        /// Why it is another one.
        reason: String,
    },
}

/// Why a batch was not committed; the runner tries again.
#[derive(Debug, thiserror::Error)]
pub(super) enum BatchError<E: Error + 'static> {
    #[error("the database failed: {0}")]
    Database(#[source] E),
    #[error("the stream failed: {0}")]
    Feed(#[from] FeedError),
    #[error("the stream failed: {0}")]
    Stream(#[from] StoreError),
    #[error("{0}")]
    DeadLetter(#[from] DeadLetterError),
    #[error("another replica has moved the position")]
    Overtaken,
}
