//! What is published into a stream, and what the server's errors mean.

use async_nats::HeaderMap;
use bytes::Bytes;

/// "Wrong last sequence", with and without the number. On a cluster the second is the common one.
const CONFLICTS: [u64; 2] = [10071, 10164];

/// A message on its way into a stream.
pub(crate) struct Outgoing {
    pub subject: String,
    pub headers: HeaderMap,
    pub payload: Bytes,
}

/// Whether the JetStream error `code` says that another writer was first.
pub(crate) fn is_conflict(code: u64) -> bool {
    CONFLICTS.contains(&code)
}
