//! Looking at the stream, with every connection and every second.

use std::{sync::Weak, time::Duration};

use eventsourcing::{StoreError, StreamIdentity};
use futures_util::StreamExt;
use tokio::sync::watch;

use super::{Seen, StreamWatch};
use crate::{
    Connection,
    connection::{Clients, Reading, connects},
    history::Suspicion,
    leaving::Leaving,
    names,
    stream::Relation,
};

/// How often one looks: a stream can be put back without a word while everybody stays connected.
const LOOK: Duration = Duration::from_secs(1);
/// The pause before another attempt.
const PAUSE: Duration = Duration::from_millis(100);

/// The task behind the watch.
pub(super) struct Task {
    /// The end of the stream as it was seen last, or what was read since, is in its memory.
    watch: StreamWatch,
    sender: watch::Sender<Seen>,
    reading: Reading,
    clients: Weak<Clients>,
    leaving: Leaving,
    /// The last position without a message that was told: each is told once.
    suspected: u64,
}

impl Task {
    pub(super) fn new(
        watch: StreamWatch,
        sender: watch::Sender<Seen>,
        reading: Reading,
        clients: Weak<Clients>,
    ) -> Self {
        let leaving = Leaving::new(watch.client.clone());
        Self { watch, sender, reading, clients, leaving, suspected: 0 }
    }

    pub(super) async fn run(mut self) {
        // What arrives there is only a hint: a renewal that was not stored is published as well.
        let mut hints = loop {
            match self.watch.client.subscribe(names::IDENTITY).await {
                Ok(hints) => break hints,
                Err(error) => tracing::debug!(%error, "subscribing to renewals failed"),
            }
            tokio::time::sleep(LOOK).await;
        };
        loop {
            let connects = {
                let Ok(link) = self.watch.link.wait_for(|link| link.connected || link.closed).await
                else {
                    return;
                };
                if link.closed {
                    return;
                }
                connects(&self.watch.client)
            };
            let pause = match self.look().await {
                Ok(identity) => {
                    self.leaving.stay();
                    self.reading.note_missing(identity.is_none());
                    self.tell(Seen { connects, identity });
                    LOOK
                }
                Err(error) => {
                    tracing::debug!(error = ?error, "looking at the stream failed");
                    self.leaving.note(&error).await;
                    PAUSE
                }
            };
            tokio::select! {
                changed = self.watch.link.changed() => match changed {
                    Ok(()) => self.leaving.stay(),
                    Err(_) => return,
                },
                () = self.watch.nudge.notified() => {}
                hint = hints.next() => if hint.is_none() { return },
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// The identity of the stream, and a new memory of its end.
    async fn look(&mut self) -> Result<Option<StreamIdentity>, StoreError> {
        let Some(found) = self.watch.stream.find().await? else { return Ok(None) };
        let known = self.watch.memory.get().filter(|mark| mark.position > 0);
        let found = match known {
            Some(mark) => {
                if let Relation::Another { reason, .. } = self.watch.stream.relate(&mark).await? {
                    tracing::error!(reason, "the stream of events is another one than before");
                }
                match self.watch.stream.find().await? {
                    Some(found) => found,
                    None => return Ok(None),
                }
            }
            None => found,
        };
        let mark = self.watch.stream.mark_of(&found).await?;
        if mark.position != found.last {
            self.suspect_end(found.last);
        }
        // Somebody may have read on meanwhile.
        self.watch.memory.remember(mark);
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
