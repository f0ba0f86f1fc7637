//! What the relay and the store of a process tell each other.

use std::sync::atomic::{AtomicBool, Ordering};

use messaging::Sighting;
use tokio::sync::{Notify, watch};

use crate::waiters::Waiters;

/// What the relay and the store of a process share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) waiters: Waiters,
    called: Notify,
    active: AtomicBool,
    connected: watch::Sender<bool>,
    /// The stream whose positions the database has, as it was seen then.
    agreed: watch::Sender<Option<Sighting>>,
    problem: watch::Sender<Option<String>>,
}

impl Shared {
    /// Whether the relay of this process is the one that works. It may end any moment; then there is the poll.
    pub(crate) fn is_active(&self) -> bool {
        self.active.load(Ordering::Relaxed)
    }

    /// Notes whether it is.
    pub(crate) fn set_active(&self, active: bool) {
        self.active.store(active, Ordering::Relaxed);
    }

    /// Notes that there is a connection to the database.
    pub(crate) fn connected(&self) {
        self.connected.send_replace(true);
    }

    /// Notes that there is none any more. The database that comes back may be another one.
    pub(crate) fn disconnected(&self) {
        self.set_active(false);
        self.connected.send_replace(false);
        self.agreed.send_replace(None);
    }

    /// Returns when there is something in the outbox. Safe to cancel.
    pub(crate) async fn called(&self) {
        self.called.notified().await;
    }

    /// Tells the relay of this process that there is something in the outbox.
    pub(crate) fn call(&self) {
        if self.is_active() {
            self.called.notify_one();
        }
    }

    /// The stream whose positions the database has, as it was seen when that was found, and the changes of that.
    pub(crate) fn agreed(&self) -> watch::Receiver<Option<Sighting>> {
        self.agreed.subscribe()
    }

    /// Notes that the database has the positions of the stream as it was seen.
    pub(crate) fn agree(&self, sighting: Sighting) {
        set(&self.agreed, Some(sighting));
    }

    /// Why what is published is not where it belongs, and the changes of that.
    pub(crate) fn problem(&self) -> watch::Receiver<Option<String>> {
        self.problem.subscribe()
    }

    /// Notes why what is published is not where it belongs.
    pub(crate) fn tell(&self, problem: Option<&str>) {
        set(&self.problem, problem.map(str::to_owned));
    }

    /// Whether there is a connection to the database, and the changes of that.
    pub(crate) fn link(&self) -> watch::Receiver<bool> {
        self.connected.subscribe()
    }
}

/// Tells those who watch of `value`, if it is another one.
fn set<T: PartialEq>(sender: &watch::Sender<T>, value: T) {
    sender.send_if_modified(|before| {
        let is_news = *before != value;
        *before = value;
        is_news
    });
}
