//! Knowing at any moment which stream the connection leads to.

mod memory;
mod task;

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use async_nats::Client;
use eventsourcing::StreamIdentity;
use tokio::sync::{Notify, watch};
use tokio_util::task::AbortOnDropHandle;

use self::{memory::Memory, task::Task};
use super::{EventStream, Mark};
use crate::{
    Link,
    connection::{Clients, Reading, connects},
};

/// What was seen, and on which connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Seen {
    connects: u64,
    identity: Option<StreamIdentity>,
}

/// The stream as it was seen on one connection: behind the next one may be another, which looks the same for a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting {
    /// The identity of the stream.
    pub identity: StreamIdentity,
    /// The number of the connection.
    connects: u64,
}

/// Tells the identity of the stream, looked up anew with every connection and every second. Cheap to clone.
///
/// It remembers the end of the stream as it saw it last, and what was read from it since, and so recognises one that
/// went back.
#[derive(Debug, Clone)]
pub struct StreamWatch {
    client: Client,
    stream: EventStream,
    memory: Memory,
    link: watch::Receiver<Link>,
    seen: watch::Receiver<Seen>,
    nudge: Arc<Notify>,
}

/// The watch, and the task behind it, which ends with this.
#[derive(Debug)]
pub(crate) struct WatchTask {
    pub watch: StreamWatch,
    _task: AbortOnDropHandle<()>,
}

impl WatchTask {
    pub fn start(
        client: Client,
        stream: EventStream,
        link: watch::Receiver<Link>,
        reading: Reading,
        clients: Weak<Clients>,
    ) -> Self {
        let (sender, seen) = watch::channel(Seen::default());
        let watch = StreamWatch {
            client,
            stream,
            memory: Memory::default(),
            link,
            seen,
            nudge: Arc::new(Notify::new()),
        };
        let task = Task::new(watch.clone(), sender, reading, clients);
        Self { watch, _task: AbortOnDropHandle::new(tokio::spawn(task.run())) }
    }
}

impl StreamWatch {
    /// The stream itself.
    #[must_use]
    pub fn stream(&self) -> &EventStream {
        &self.stream
    }

    /// The identity of the stream; `None` while it is not known for the present connection, or there is no stream.
    #[must_use]
    pub fn current(&self) -> Option<StreamIdentity> {
        self.sighting().map(|sighting| sighting.identity)
    }

    /// The stream, as it was seen on the present connection; `None` as for [`current`](Self::current).
    #[must_use]
    pub fn sighting(&self) -> Option<Sighting> {
        let (identity, connects) = self.seen_here()?;
        Some(Sighting { identity: identity?, connects })
    }

    /// What was seen on the present connection, if there is one and somebody has looked.
    ///
    /// The client counts a connection before anything arrives on it; the word of it comes later.
    fn seen_here(&self) -> Option<(Option<StreamIdentity>, u64)> {
        let (is_connected, seen) = (self.link.borrow().connected, *self.seen.borrow());
        let is_here = is_connected && seen.connects == connects(&self.client);
        is_here.then_some((seen.identity, seen.connects))
    }

    /// Whether there is no stream of events.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self.seen_here(), Some((None, _)))
    }

    /// The identity of the stream, as soon as it is known. Safe to cancel.
    pub async fn known(&self) -> StreamIdentity {
        self.sighted().await.identity
    }

    /// The stream, as soon as it was seen on the present connection. Safe to cancel.
    pub async fn sighted(&self) -> Sighting {
        let (mut link, mut seen) = (self.link.clone(), self.seen.clone());
        loop {
            link.mark_unchanged();
            seen.mark_unchanged();
            if let Some(sighting) = self.sighting() {
                return sighting;
            }
            tokio::select! {
                changed = link.changed() => gone(changed.is_err()).await,
                changed = seen.changed() => gone(changed.is_err()).await,
            }
        }
    }

    /// The same, for as long as `patience` lasts.
    pub async fn sighted_within(&self, patience: Duration) -> Option<Sighting> {
        match self.sighting() {
            None => tokio::time::timeout(patience, self.sighted()).await.ok(),
            sighting => sighting,
        }
    }

    /// Returns with what is seen once that is another stream, or another connection, than `before`. Safe to cancel.
    pub async fn sighted_again(&self, before: Sighting) -> Sighting {
        let (mut link, mut seen) = (self.link.clone(), self.seen.clone());
        loop {
            link.mark_unchanged();
            seen.mark_unchanged();
            match self.sighted().await {
                sighting if sighting != before => return sighting,
                _ => tokio::select! {
                    changed = link.changed() => gone(changed.is_err()).await,
                    changed = seen.changed() => gone(changed.is_err()).await,
                },
            }
        }
    }

    /// Returns with the identity of the stream once that is another than `identity`. Safe to cancel.
    pub async fn other_than(&self, identity: StreamIdentity) -> StreamIdentity {
        let mut seen = self.seen.clone();
        loop {
            seen.mark_unchanged();
            match self.known().await {
                current if current != identity => return current,
                _ => gone(seen.changed().await.is_err()).await,
            }
        }
    }

    /// Notes that the stream had what is at `mark`: with the next connection, it is asked whether it still has.
    pub(crate) fn remember(&self, mark: Mark) {
        // What was read from the stream before this is of no use any more.
        if self.seen.borrow().identity == Some(mark.stream) {
            self.memory.remember(mark);
        }
    }

    /// Has the stream looked at now.
    pub fn nudge(&self) {
        self.nudge.notify_one();
    }
}

/// Whoever waits for a task that is gone waits for the end of the process.
async fn gone(is_gone: bool) {
    if is_gone {
        std::future::pending::<()>().await;
    }
}
