//! What the aggregates of one service share, and what is made of one kind of them.

use eventsourcing::Fingerprints;
use messaging::{Connection, JetStreamSnapshots, QueueServer, RequestServer};
use tokio_util::sync::CancellationToken;

use crate::store::Store;

/// The parts that the aggregates of a service share.
pub(crate) struct Host<'a> {
    pub(crate) name: &'static str,
    pub(crate) connection: &'a Connection,
    pub(crate) requests: &'a RequestServer,
    pub(crate) store: &'a Store,
    pub(crate) snapshots: &'a JetStreamSnapshots,
    pub(crate) fingerprints: &'a Fingerprints,
    pub(crate) stop: &'a CancellationToken,
}

/// One kind of aggregate whose requests are answered.
pub(crate) struct Running {
    /// Its commands that wait.
    pub(crate) queue: QueueServer,
    /// Lets the states in memory go, which leaves snapshots.
    pub(crate) retire: Box<dyn FnOnce() + Send>,
}
