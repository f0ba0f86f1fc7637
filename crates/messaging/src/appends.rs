//! Whether the store takes appends now. Only a write proves that it does.
//!
//! A store that cannot write says nothing: its publishes only time out. So the first append that is not acknowledged opens a
//! breaker. While it is open, commands are refused at once, and a probe that really writes decides when that is over.

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_nats::{
    header::{NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, NATS_EXPECTED_STREAM},
    jetstream::{
        self,
        context::{PublishError, PublishErrorKind},
        message::PublishMessage,
    },
};
use eventsourcing::{AppendError, StoreError};
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{Connection, Throttle, names, publish::is_conflict};

/// How long an append may wait while nothing at all is acknowledged.
const STALLED: Duration = Duration::from_secs(1);
/// The pause between two probes.
const PAUSE: Duration = Duration::from_secs(1);
/// How often a store that nobody writes to is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// No subject ever has this last sequence, so a publish that expects it is refused before anything is stored.
const IMPOSSIBLE: &str = "9223372036854775807";
/// "Message size exceeds maximum allowed": that is about the message, not about the store.
const TOO_LARGE: u64 = 10054;

/// What is known of the store's ability to take appends.
#[derive(Debug)]
pub struct Appends {
    connection: Connection,
    /// When an append was acknowledged last.
    acknowledged: Mutex<Instant>,
    problem: watch::Sender<Option<String>>,
    /// Held back: a store that takes some and not others opens the breaker again and again.
    outages: Throttle,
}

impl Appends {
    /// Takes the store for able until an append shows otherwise.
    pub(crate) fn new(connection: Connection) -> Arc<Self> {
        let (acknowledged, problem) = (Mutex::new(Instant::now()), watch::Sender::new(None));
        Arc::new(Self { connection, acknowledged, problem, outages: Throttle::new() })
    }

    /// Why nothing can be appended, and the changes of that.
    #[must_use]
    pub fn problem(&self) -> watch::Receiver<Option<String>> {
        self.problem.subscribe()
    }

    /// An error while the store takes no appends.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let problem = self.problem.borrow();
        problem.clone().map_or(Ok(()), |reason| Err(StoreError::new("appending", reason)))
    }

    /// Waits for `append`, which is about `subject`, and notes what it shows.
    pub(crate) async fn observe<T>(
        self: &Arc<Self>,
        subject: &str,
        append: impl Future<Output = Result<T, AppendError>>,
    ) -> Result<T, AppendError> {
        let sent = Instant::now();
        let mut append = pin!(append);
        let outcome = loop {
            let silent = self.last().max(sent) + STALLED;
            tokio::select! {
                biased;
                outcome = &mut append => break outcome,
                // One append to a subject is under way at a time, and all of its messages, or none, are stored: so the denial
                // is about this one, and nothing of it is stored.
                reason = self.connection.denied(sent, |denied| denied == subject) => {
                    break Err(AppendError::Failed(StoreError::new("appending", reason)));
                }
                () = sleep_until(silent) => {}
            }
            if self.last().max(sent).elapsed() >= STALLED {
                self.fail(subject, sent, "nothing is acknowledged");
                break append.await;
            }
        };
        match &outcome {
            Ok(_) => self.acknowledge(),
            Err(AppendError::Failed(error)) if is_about_message(error) => {}
            Err(AppendError::Unknown(error) | AppendError::Failed(error)) => {
                self.fail(subject, sent, &error.source.to_string());
            }
            Err(AppendError::Conflict | AppendError::Claimed(_)) => {}
        }
        outcome
    }

    /// Looks at the store while nobody writes, until `stop`: whether events of `context` could be appended. It stores nothing.
    pub async fn watch(self: Arc<Self>, context: &str, stop: CancellationToken) {
        let subject = names::any_event_of(context);
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = looks.tick() => {}
            }
            let idle = self.last().elapsed() >= LOOK && self.problem.borrow().is_none();
            if !idle || !self.connection.is_connected() {
                continue;
            }
            let asked = Instant::now();
            if let Err(reason) = self.ask(&subject).await {
                self.fail(&subject, asked, &reason);
            }
        }
    }

    fn last(&self) -> Instant {
        *self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn acknowledge(&self) {
        *self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        if self.problem.send_if_modified(|problem| problem.take().is_some())
            && let Some(held_back) = self.outages.over()
        {
            tracing::info!(held_back, "the event store takes appends again");
        }
    }

    /// Opens the breaker, and has probes decide when it is closed.
    fn fail(self: &Arc<Self>, subject: &str, sent: Instant, reason: &str) {
        let reason = self.explain(subject, sent, reason);
        let opened = self.problem.send_if_modified(|problem| {
            let opens = problem.is_none();
            problem.get_or_insert_with(|| reason.clone());
            opens
        });
        if opened {
            metrics::counter!("append_outages_total").increment(1);
            if let Some(held_back) = self.outages.pass() {
                tracing::error!(
                    reason,
                    held_back,
                    "the event store takes no appends: commands are refused until a write succeeds"
                );
            }
            tokio::spawn(self.clone().probe_until_able(subject.to_owned()));
        }
    }

    fn explain(&self, subject: &str, since: Instant, reason: &str) -> String {
        let denied = self.connection.publish_denied(subject, since);
        denied.unwrap_or_else(|| format!("the stream {} takes no appends: {reason}", names::EVENTS))
    }

    async fn probe_until_able(self: Arc<Self>, subject: String) {
        while self.problem.borrow().is_some() && !self.connection.link().borrow().closed {
            let asked = Instant::now();
            match self.probe(&subject).await {
                Ok(()) => return self.acknowledge(),
                Err(reason) => {
                    let reason = self.explain(&subject, asked, &reason);
                    self.problem.send_if_modified(|problem| match problem {
                        Some(known) if *known != reason => {
                            *known = reason;
                            true
                        }
                        _ => false,
                    });
                }
            }
            sleep(PAUSE).await;
        }
    }

    /// Whether the subject that failed may be published to, and then whether the stream stores.
    async fn probe(&self, subject: &str) -> Result<(), String> {
        if !self.connection.is_connected() {
            return Err("not connected to NATS".to_owned());
        }
        self.ask(subject).await?;
        let asked = Instant::now();
        match self.publish(names::PROBE, None).await {
            Ok(()) => Ok(()),
            // Permissions of an earlier release: the next command is the probe.
            Err(_) if self.connection.was_denied(names::PROBE, asked) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Whether the stream answers on `subject`, without storing anything.
    async fn ask(&self, subject: &str) -> Result<(), String> {
        let asked = Instant::now();
        let answer = tokio::select! {
            answer = self.publish(subject, Some(IMPOSSIBLE)) => answer,
            reason = self.connection.denied(asked, |denied| denied == subject) => return Err(reason),
        };
        match answer {
            Ok(()) => Ok(()),
            Err(error) if code(&error).is_some_and(is_conflict) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn publish(&self, subject: &str, expected: Option<&str>) -> Result<(), PublishError> {
        let mut message = PublishMessage::build().header(NATS_EXPECTED_STREAM, names::EVENTS);
        if let Some(expected) = expected {
            message = message.header(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, expected);
        }
        let ack = self.connection.jetstream.send_publish(subject.to_owned(), message).await?;
        ack.await.map(drop)
    }
}

/// The code that the server gave.
pub(crate) fn code(error: &PublishError) -> Option<u64> {
    use std::error::Error as _;
    let source = error.source()?.downcast_ref::<jetstream::Error>()?;
    Some(source.error_code().0)
}

fn is_about_message(error: &StoreError) -> bool {
    error.source.downcast_ref::<PublishError>().is_some_and(|error| {
        error.kind() == PublishErrorKind::MaxPayloadExceeded || code(error) == Some(TOO_LARGE)
    })
}
