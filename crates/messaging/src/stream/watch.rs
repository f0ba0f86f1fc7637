//! Knowing at any moment which stream the connection leads to.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, atomic::Ordering},
    time::Duration,
};

use async_nats::Client;
use eventsourcing::{StoreError, StreamIdentity};
use futures_util::StreamExt;
use tokio::sync::{Notify, watch};
use tokio_util::task::AbortOnDropHandle;

use super::{EventStream, Mark, Relation};
use crate::{
    Connection, Link,
    connection::{Clients, Reading},
    history::Suspicion,
    names,
};

/// How often one looks: a stream can be put back without a word while everybody stays connected.
const LOOK: Duration = Duration::from_secs(1);
/// The pause before another attempt.
const PAUSE: Duration = Duration::from_millis(100);

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

/// The furthest position that somebody in this process knows of.
#[derive(Debug, Clone, Default)]
struct Memory(Arc<Mutex<Option<Mark>>>);

impl Memory {
    fn remember(&self, mark: Mark) {
        let mut kept = self.lock();
        let is_further = kept.is_none_or(|kept| {
            kept.stream != mark.stream
                || (kept.position, kept.stored_at) < (mark.position, mark.stored_at)
        });
        if is_further {
            *kept = Some(mark);
        }
    }

    fn get(&self) -> Option<Mark> {
        *self.lock()
    }

    // Nothing panics while the lock is held.
    fn lock(&self) -> MutexGuard<'_, Option<Mark>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        let nudge = Arc::new(Notify::new());
        let memory = Memory::default();
        let watch = StreamWatch {
            client: client.clone(),
            stream: stream.clone(),
            memory: memory.clone(),
            link: link.clone(),
            seen,
            nudge: nudge.clone(),
        };
        let task =
            Task { client, stream, link, nudge, memory, sender, reading, clients, suspected: 0 };
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

/// How many connections the client has had.
fn connects(client: &Client) -> u64 {
    client.statistics().connects.load(Ordering::Acquire)
}

/// Whoever waits for a task that is gone waits for the end of the process.
async fn gone(is_gone: bool) {
    if is_gone {
        std::future::pending::<()>().await;
    }
}

struct Task {
    client: Client,
    stream: EventStream,
    link: watch::Receiver<Link>,
    nudge: Arc<Notify>,
    /// The end of the stream as it was seen last, or what was read since.
    memory: Memory,
    sender: watch::Sender<Seen>,
    reading: Reading,
    clients: Weak<Clients>,
    /// The last position without a message that was told: each is told once.
    suspected: u64,
}

impl Task {
    async fn run(mut self) {
        // What arrives there is only a hint: a renewal that was not stored is published as well.
        let mut hints = loop {
            match self.client.subscribe(names::IDENTITY).await {
                Ok(hints) => break hints,
                Err(error) => tracing::debug!(%error, "subscribing to renewals failed"),
            }
            tokio::time::sleep(LOOK).await;
        };
        loop {
            let connects = {
                let Ok(link) = self.link.wait_for(|link| link.connected || link.closed).await
                else {
                    return;
                };
                if link.closed {
                    return;
                }
                connects(&self.client)
            };
            let pause = match self.look().await {
                Ok(identity) => {
                    self.reading.note_missing(identity.is_none());
                    self.tell(Seen { connects, identity });
                    LOOK
                }
                Err(error) => {
                    tracing::debug!(error = ?error, "looking at the stream failed");
                    PAUSE
                }
            };
            tokio::select! {
                changed = self.link.changed() => if changed.is_err() { return },
                () = self.nudge.notified() => {}
                hint = hints.next() => if hint.is_none() { return },
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// The identity of the stream, and a new memory of its end.
    async fn look(&mut self) -> Result<Option<StreamIdentity>, StoreError> {
        let Some(found) = self.stream.find().await? else { return Ok(None) };
        let known = self.memory.get().filter(|mark| mark.position > 0);
        let found = match known {
            Some(mark) => {
                if let Relation::Another { reason, .. } = self.stream.relate(&mark).await? {
                    tracing::error!(reason, "the stream of events is another one than before");
                }
                match self.stream.find().await? {
                    Some(found) => found,
                    None => return Ok(None),
                }
            }
            None => found,
        };
        let mark = self.stream.mark_of(&found).await?;
        if mark.position != found.last {
            self.suspect_end(found.last);
        }
        // Somebody may have read on meanwhile.
        self.memory.remember(mark);
        Ok(Some(found.identity))
    }

    /// Has somebody look at the message at the end, which no reader would miss.
    fn suspect_end(&mut self, last: u64) {
        if self.suspected != last
            && let Some(clients) = self.clients.upgrade()
        {
            self.suspected = last;
            let end = Suspicion::Positions(last..=last);
            Connection(clients).suspect("end of the stream", end);
        }
    }

    fn tell(&self, seen: Seen) {
        self.sender.send_if_modified(|before| {
            let is_news = *before != seen;
            if before.identity != seen.identity
                && let Some(identity) = seen.identity
            {
                tracing::info!(%identity, "this is the stream of events");
            }
            *before = seen;
            is_news
        });
    }
}
