//! Knowing at any moment which stream the connection leads to.

use std::{sync::Arc, time::Duration};

use async_nats::Client;
use eventsourcing::{StoreError, StreamIdentity};
use futures_util::StreamExt;
use tokio::sync::{Notify, watch};
use tokio_util::task::AbortOnDropHandle;

use super::{EventStream, Mark, Relation};
use crate::{Link, names};

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

/// Tells the identity of the stream, looked up anew with every connection and every second. Cheap to clone.
///
/// It remembers the end of the stream as it saw it last, and so recognises one that went back.
#[derive(Debug, Clone)]
pub struct StreamWatch {
    stream: EventStream,
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
    pub fn start(client: Client, stream: EventStream, link: watch::Receiver<Link>) -> Self {
        let (sender, seen) = watch::channel(Seen::default());
        let nudge = Arc::new(Notify::new());
        let watch = StreamWatch { stream: stream.clone(), link: link.clone(), seen, nudge };
        let task = Task { stream, link, nudge: watch.nudge.clone(), mark: None, sender };
        Self { watch, _task: AbortOnDropHandle::new(tokio::spawn(task.run(client))) }
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
        let (link, seen) = (*self.link.borrow(), *self.seen.borrow());
        seen.identity.filter(|_| link.connected && link.connects == seen.connects)
    }

    /// Whether there is no stream of events.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        let (link, seen) = (*self.link.borrow(), *self.seen.borrow());
        seen.identity.is_none() && link.connected && link.connects == seen.connects
    }

    /// The identity of the stream, as soon as it is known. Safe to cancel.
    pub async fn known(&self) -> StreamIdentity {
        let (mut link, mut seen) = (self.link.clone(), self.seen.clone());
        loop {
            link.mark_unchanged();
            seen.mark_unchanged();
            if let Some(identity) = self.current() {
                return identity;
            }
            tokio::select! {
                changed = link.changed() => gone(changed.is_err()).await,
                changed = seen.changed() => gone(changed.is_err()).await,
            }
        }
    }

    /// The same, for as long as `patience` lasts.
    pub async fn known_within(&self, patience: Duration) -> Option<StreamIdentity> {
        match self.current() {
            None => tokio::time::timeout(patience, self.known()).await.ok(),
            identity => identity,
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

struct Task {
    stream: EventStream,
    link: watch::Receiver<Link>,
    nudge: Arc<Notify>,
    /// The end of the stream as it was seen last.
    mark: Option<Mark>,
    sender: watch::Sender<Seen>,
}

impl Task {
    async fn run(mut self, client: Client) {
        // What arrives there is only a hint: a renewal that was not stored is published as well.
        let mut hints = loop {
            match client.subscribe(names::IDENTITY).await {
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
                link.connects
            };
            let pause = match self.look().await {
                Ok(identity) => {
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
        let known = self.mark.filter(|mark| mark.position > 0);
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
        self.mark = Some(self.stream.mark_of(&found).await?);
        Ok(Some(found.identity))
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
