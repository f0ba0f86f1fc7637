//! One message from the server's delivery to its end.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use async_nats::jetstream::{AckKind, Message};
use futures_util::FutureExt;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{
    NOT_ACTIVE, Outcome, Reaction,
    in_hand::{Held, InHand},
    taken::{Taken, acknowledge, stored},
};
use crate::{
    Throttle,
    consumer::{
        DeadLetterBox, DeadLetters, Redriven,
        metrics::ConsumerMetrics,
        redrive::{BUDGET, MAX_AT_ONCE},
    },
    feed::StreamMessage,
};

/// How often a message in hand gives a sign of life: well within the server's patience.
const PROGRESS: Duration = Duration::from_secs(3);
/// How many handlers run at once.
const MAX_CONCURRENT: usize = 16;

/// Held back: what each message may be the reason for.
static UNPLACED: Throttle = Throttle::new();

/// Brings messages to their end.
pub(super) struct Worker<R> {
    reaction: Arc<R>,
    dead_letters: DeadLetters,
    letters: DeadLetterBox,
    permits: Semaphore,
    in_hand: InHand,
    metrics: ConsumerMetrics,
    retries: Throttle,
    stop: CancellationToken,
}

/// How often a message was tried, and how often that was its own fault.
#[derive(Default)]
struct Attempts {
    all: u32,
    failed: u32,
}

/// How a message leaves our hands.
enum Settled {
    /// The reaction is done with it.
    Done,
    /// It is stored among the dead letters.
    DeadLetter,
    /// It goes back to the server, for the next process.
    GivenBack,
}

impl<R: Reaction> Worker<R> {
    pub fn new(
        reaction: Arc<R>,
        dead_letters: DeadLetters,
        letters: DeadLetterBox,
        stop: CancellationToken,
    ) -> Self {
        let permits = Semaphore::new(MAX_CONCURRENT);
        let (in_hand, metrics) = (InHand::new(), ConsumerMetrics::new(R::NAME));
        let retries = Throttle::new();
        Self { reaction, dead_letters, letters, permits, in_hand, metrics, retries, stop }
    }

    /// Returns when it is time to stop.
    pub async fn stopping(&self) {
        self.stop.cancelled().await;
    }

    /// Whether it is this process's turn.
    pub fn is_active(&self) -> bool {
        self.reaction.is_active()
    }

    /// What is measured.
    pub fn metrics(&self) -> ConsumerMetrics {
        self.metrics
    }

    /// What is in hand.
    pub fn held(&self) -> Held {
        self.in_hand.held()
    }

    /// Takes a message in hand, unless it is there.
    pub fn take(&self, message: Message) -> Option<Taken> {
        let Some((stored, time)) = stored(&message) else {
            if let Some(held_back) = UNPLACED.pass() {
                let consumer = R::NAME;
                tracing::error!(consumer, held_back, "a message without a position was dropped");
            }
            return None;
        };
        self.in_hand.take(stored.position, time).then_some(Taken { message, stored })
    }

    /// Brings one message to its end, with signs of life to the server in the meantime.
    pub async fn work(&self, Taken { message, stored }: &Taken) {
        let mut settle = std::pin::pin!(self.settle(stored));
        let settled = loop {
            tokio::select! {
                settled = &mut settle => break settled,
                () = tokio::time::sleep(PROGRESS) => acknowledge(message, AckKind::Progress).await,
            }
        };
        match settled {
            Settled::Done => {
                self.metrics.handled();
                acknowledge(message, AckKind::Ack).await;
            }
            Settled::DeadLetter => acknowledge(message, AckKind::Term).await,
            Settled::GivenBack => acknowledge(message, AckKind::Nak(None)).await,
        }
        self.in_hand.release(stored.position);
    }

    /// Tries the dead letters from `subject` again, oldest first, until one fails. Each is taken out when it is done;
    /// one that was done before a crash is known to the reaction's own record.
    pub async fn redrive(&self, subject: &str) -> Redriven {
        let mut redriven = Redriven::default();
        let sequences = match self.letters.oldest(R::NAME, subject, MAX_AT_ONCE).await {
            Ok(sequences) => sequences,
            Err(error) => return Redriven { failure: Some(error.to_string()), ..redriven },
        };
        let begin = Instant::now();
        for sequence in sequences {
            if !self.is_active() {
                return Redriven { failure: Some(NOT_ACTIVE.to_owned()), ..redriven };
            }
            if self.stop.is_cancelled() || (redriven.done > 0 && begin.elapsed() > BUDGET) {
                break;
            }
            match self.redrive_one(sequence).await {
                Ok(is_done) => redriven.done += u64::from(is_done),
                Err(reason) => return Redriven { failure: Some(reason), ..redriven },
            }
        }
        redriven
    }

    /// Whether it was done by this; `false` when somebody has dropped it.
    async fn redrive_one(&self, sequence: u64) -> Result<bool, String> {
        let letter = self.letters.get(sequence).await.map_err(|error| error.to_string())?;
        let Some(letter) = letter else { return Ok(false) };
        match self.react(&letter.message).await {
            Outcome::Done => {}
            Outcome::Retry(reason) | Outcome::Wait(reason) | Outcome::GiveUp(reason) => {
                return Err(reason);
            }
        }
        let removed = self.letters.remove(sequence).await;
        removed.map(|_| true).map_err(|error| error.to_string())
    }

    /// Tries until there is an end, with growing pauses.
    async fn settle(&self, message: &StreamMessage) -> Settled {
        let mut attempts = Attempts::default();
        while !self.stop.is_cancelled() {
            let reason = match self.step(message, &mut attempts).await {
                Ok(settled) => {
                    // Others may have gone well all the time.
                    if attempts.all > 0
                        && let Some(held_back) = self.retries.over()
                    {
                        tracing::info!(consumer = R::NAME, held_back, "events are handled again");
                    }
                    return settled;
                }
                Err(reason) => reason,
            };
            self.metrics.retried();
            attempts.all += 1;
            let pause = R::BACKOFF.pause(attempts.all);
            if let Some(held_back) = self.retries.pass() {
                tracing::warn!(
                    consumer = R::NAME,
                    position = message.position,
                    reason,
                    attempt = attempts.all,
                    ?pause,
                    held_back,
                    "event is tried again"
                );
            }
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        Settled::GivenBack
    }

    /// One attempt, or parking behind an earlier dead letter of the aggregate. An error means: again.
    async fn step(
        &self,
        message: &StreamMessage,
        attempts: &mut Attempts,
    ) -> Result<Settled, String> {
        if !self.is_active() {
            return Err(NOT_ACTIVE.to_owned());
        }
        let dead = self.dead_letters.range(&message.subject).await;
        let stored = match dead.map_err(|error| error.to_string())? {
            // It is among them: the process ended before the server heard of it.
            Some((first, last)) if (first..=last).contains(&message.position) => Ok(()),
            Some((first, _)) if first < message.position => {
                self.dead_letters.park(message, first, "it was not tried").await
            }
            // Nothing is in its way; when it was done before, the reaction's own record says so.
            _ => match self.attempt(message, attempts).await? {
                None => return Ok(Settled::Done),
                Some(reason) => self.dead_letters.store(message, &reason).await,
            },
        };
        // Stored before the server hears that we are done with it.
        stored.map_err(|error| error.to_string())?;
        Ok(Settled::DeadLetter)
    }

    /// Reacts: `None` when it is done, or why to give up. An error means: again.
    async fn attempt(
        &self,
        message: &StreamMessage,
        attempts: &mut Attempts,
    ) -> Result<Option<String>, String> {
        match self.react(message).await {
            Outcome::Done => Ok(None),
            Outcome::Wait(reason) => Err(reason),
            Outcome::Retry(reason) if attempts.failed + 1 < R::MAX_ATTEMPTS => {
                attempts.failed += 1;
                Err(reason)
            }
            Outcome::Retry(reason) => {
                Ok(Some(format!("gave up after {} attempts: {reason}", R::MAX_ATTEMPTS)))
            }
            Outcome::GiveUp(reason) => Ok(Some(reason)),
        }
    }

    async fn react(&self, message: &StreamMessage) -> Outcome {
        let event = match message.event() {
            Ok(event) => event,
            Err(error) => return Outcome::GiveUp(error.to_string()),
        };
        let span = tracing::info_span!(
            "reaction",
            consumer = R::NAME,
            event.id = %event.event.id,
            event.type = event.event.event_type,
            event.position = event.position,
            correlation.id = %event.event.metadata.correlation_id,
            traceparent = event.event.metadata.traceparent,
        );
        let Ok(_permit) = self.permits.acquire().await else {
            return Outcome::Wait("the consumer is closing".to_owned());
        };
        let begin = Instant::now();
        let outcome =
            AssertUnwindSafe(self.reaction.react(&event).instrument(span)).catch_unwind().await;
        self.metrics.attempted(begin.elapsed());
        outcome.unwrap_or_else(|_| Outcome::GiveUp("the handler panicked".to_owned()))
    }
}
