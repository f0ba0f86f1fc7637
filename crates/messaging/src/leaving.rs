//! Leaving a server that is cut off for another.
//!
//! A server that the others of its cluster cannot reach keeps its clients, and answers some of them. Only they can notice: the
//! stream has no leader there, or one that does not hear from most of the others, and no service answers.

use std::{
    fmt::Debug,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_nats::{Client, jetstream::stream::ClusterInfo};
use eventsourcing::StoreError;
use tokio::time::Instant;

use crate::Throttle;

/// How long a leader may hear nothing from a server: they tell each other of themselves each second.
const SILENT: Duration = Duration::from_secs(3);
/// How long nothing may work before the server is left.
const PATIENCE: Duration = Duration::from_secs(2);

/// An error when the leader of the stream does not hear from most of the servers that keep it. Then it stores nothing, and
/// others may have another leader.
pub(crate) fn check_quorum(cluster: Option<&ClusterInfo>) -> Result<(), StoreError> {
    let Some(cluster) = cluster else { return Ok(()) };
    let all = cluster.replicas.len() + 1;
    let heard = cluster.replicas.iter().filter(|peer| !peer.offline && peer.active < SILENT);
    if 2 * (1 + heard.count()) > all {
        return Ok(());
    }
    let error = "its leader does not hear from most of the servers that keep it";
    Err(StoreError::new("asking which stream it is", error))
}

/// Decides when to leave.
#[derive(Debug)]
pub(crate) struct Leaving {
    client: Client,
    /// Since when nothing has worked.
    since: Mutex<Option<Instant>>,
}

impl Leaving {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, since: Mutex::default() }
    }

    /// Notes that something worked, or that there is another connection.
    pub(crate) fn stay(&self) {
        *self.since() = None;
    }

    /// Notes that something did not work because of `error`; leaves the server when that lasts and there is another one.
    pub(crate) async fn note(&self, error: &(impl Debug + Sync)) {
        static LEFT: Throttle = Throttle::new();
        if !self.is_out_of_patience()
            || self.client.server_pool().await.map_or(0, |it| it.len()) < 2
        {
            return;
        }
        if let Some(held_back) = LEFT.pass() {
            tracing::warn!(error = ?error, held_back, "another nats-server is tried: nothing works on this one");
        }
        // An error means that the client is gone.
        let _ = self.client.force_reconnect().await;
    }

    /// Whether nothing has worked for long; counts from the beginning then.
    fn is_out_of_patience(&self) -> bool {
        let mut since = self.since();
        let is_out = since.get_or_insert_with(Instant::now).elapsed() >= PATIENCE;
        if is_out {
            *since = None;
        }
        is_out
    }

    // Nothing panics while the lock is held.
    fn since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn is_led(peers: &[(u64, bool)]) -> bool {
        let peer = |(seconds, offline): &(u64, bool)| {
            let active = seconds * 1_000_000_000;
            json!({ "name": "n", "current": true, "active": active, "offline": offline })
        };
        let replicas: Vec<_> = peers.iter().map(peer).collect();
        let cluster = serde_json::from_value(json!({ "leader": "n1", "replicas": replicas }));
        check_quorum(Some(&cluster.expect("as the server tells it"))).is_ok()
    }

    #[test]
    fn a_leader_needs_to_hear_from_most() {
        assert!(is_led(&[]));
        assert!(is_led(&[(1, false), (1, false)]));
        assert!(is_led(&[(1, false), (60, true)]));
        assert!(!is_led(&[(4, false), (60, false)]));
        assert!(!is_led(&[(0, true), (5, false)]));
        assert!(check_quorum(None).is_ok());
    }
}
