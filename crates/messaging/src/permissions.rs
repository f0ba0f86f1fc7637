//! What the server does not permit. It tells in an error of its own; the caller hears nothing, and times out.
//!
//! A denial counts for a few seconds after it was told. What a service needs it tries more often than that, so it is known to
//! be unable for as long as a permission is missing, and to be able soon after the permission is back.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_nats::{Client, connection::State};
use bytes::Bytes;
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval, timeout_at},
};
use tokio_util::task::AbortOnDropHandle;

use crate::{Connection, names};

/// How many denials are remembered.
const MAX_DENIED: usize = 64;
/// How long a denial counts. Everything that a service needs is tried again sooner.
const COUNTS: Duration = Duration::from_secs(4);
/// The pause between two connections while a subscription is denied. The server forgets such a subscription, and only a new
/// connection asks for it again.
const RECONNECT_PAUSE: Duration = Duration::from_secs(2);
/// How often one asks.
const ASK: Duration = Duration::from_secs(1);
/// The body of a message that means nothing.
pub const NOTHING: &[u8] = b"";
/// What permissions of an earlier release do not have, and a service can do without.
const DISPENSABLE: [&str; 2] = [names::PROBE, names::IDENTITY];

/// What was denied.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Denial {
    Publish(String),
    Subscribe(String),
}

impl Denial {
    /// Reads what the server says: `Permissions Violation for Publish to "events.article.1"`, or `… for Subscription to "a.b"
    /// (sid "1")`.
    fn read(error: &str) -> Option<Self> {
        let quoted = |rest: &str| rest.split_once('"').map(|(subject, _)| subject.to_owned());
        if let Some((_, rest)) = error.split_once("for Publish to \"") {
            return quoted(rest).map(Self::Publish);
        }
        let (_, rest) = error.split_once("for Subscription to \"")?;
        quoted(rest).map(Self::Subscribe)
    }

    fn is_dispensable(&self) -> bool {
        let (Self::Publish(subject) | Self::Subscribe(subject)) = self;
        DISPENSABLE.contains(&subject.as_str())
    }

    fn reason(&self) -> String {
        let what = match self {
            Self::Publish(subject) => format!("publish to {subject}"),
            Self::Subscribe(subject) => format!("subscribe to {subject}"),
        };
        format!("NATS does not permit to {what}: see permissions.conf of the nats-server")
    }
}

/// The denials of one connection. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Denials {
    told: Arc<Mutex<HashMap<Denial, Instant>>>,
    /// How many there were.
    count: watch::Sender<u64>,
    problem: watch::Sender<Option<String>>,
}

impl Denials {
    /// Notes what the server said, when that is a denial.
    pub(crate) fn note(&self, error: &str) {
        let Some(denial) = Denial::read(error) else { return };
        let reason = (!denial.is_dispensable()).then(|| denial.reason());
        let mut told = self.lock();
        if told.len() >= MAX_DENIED {
            told.clear();
        }
        told.insert(denial, Instant::now());
        drop(told);
        if let Some(reason) = reason {
            self.problem.send_if_modified(|problem| {
                problem.is_none() && {
                    *problem = Some(reason);
                    true
                }
            });
        }
        self.count.send_modify(|count| *count += 1);
    }

    /// Why the service may not do what it needs to, and the changes of that.
    pub(crate) fn problem(&self) -> watch::Receiver<Option<String>> {
        self.problem.subscribe()
    }

    /// Whether publishing to a subject that `is_meant` was denied since then.
    fn published(&self, since: Instant, is_meant: impl Fn(&str) -> bool) -> Option<String> {
        let told = self.lock();
        let mut denials = told.iter().filter(|(_, told)| **told >= since);
        denials.find_map(|(denial, _)| match denial {
            Denial::Publish(subject) if is_meant(subject) => Some(denial.reason()),
            _ => None,
        })
    }

    /// What counts now and is needed: the last one that was told, and when it was told.
    fn current(&self) -> Option<(Denial, Instant)> {
        let told = self.lock();
        let needed = told.iter().filter(|(denial, _)| !denial.is_dispensable());
        let (denial, last) = needed.max_by_key(|(_, told)| **told)?;
        (last.elapsed() < COUNTS).then(|| (denial.clone(), *last))
    }

    fn lacks_subscription(&self) -> bool {
        let told = self.lock();
        told.iter().any(|(denial, told)| {
            matches!(denial, Denial::Subscribe(_))
                && !denial.is_dispensable()
                && told.elapsed() < COUNTS
        })
    }

    // Nothing panics while the lock is held.
    fn lock(&self) -> MutexGuard<'_, HashMap<Denial, Instant>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the problem up to date, and asks again for subscriptions that were denied, until it is dropped.
    pub(crate) async fn watch(self, client: Client) {
        let mut count = self.count.subscribe();
        let mut reconnected = None::<Instant>;
        loop {
            let Some((denial, told)) = self.current() else {
                self.problem.send_if_modified(|problem| problem.take().is_some());
                if count.changed().await.is_err() {
                    return;
                }
                continue;
            };
            self.problem.send_replace(Some(denial.reason()));
            let mut next = told + COUNTS;
            if self.lacks_subscription() {
                if reconnected.is_none_or(|last| last.elapsed() >= RECONNECT_PAUSE) {
                    reconnected = Some(Instant::now());
                    // A client that is gone needs no connection.
                    let _ = client.force_reconnect().await;
                }
                next = next.min(Instant::now() + RECONNECT_PAUSE);
            }
            // Another denial, or the time to look again.
            let _ = timeout_at(next, count.changed()).await;
        }
    }
}

impl Connection {
    /// Why the service may not do what it needs to, and the changes of that.
    #[must_use]
    pub fn permissions(&self) -> watch::Receiver<Option<String>> {
        self.denials.problem()
    }

    /// Whether the server has refused to take a message to `subject` since then.
    pub(crate) fn was_denied(&self, subject: &str, since: Instant) -> bool {
        self.publish_denied(subject, since).is_some()
    }

    /// The same in words, if it has.
    pub(crate) fn publish_denied(&self, subject: &str, since: Instant) -> Option<String> {
        self.denials.published(since, |denied| denied == subject)
    }

    /// Returns once the server has refused to take a message, sent after `since`, to a subject that `is_meant`; says so. Safe
    /// to cancel.
    pub(crate) async fn denied(&self, since: Instant, is_meant: impl Fn(&str) -> bool) -> String {
        let mut count = self.denials.count.subscribe();
        loop {
            count.mark_unchanged();
            if let Some(reason) = self.denials.published(since, &is_meant) {
                return reason;
            }
            // The sender is in the connection, so it cannot be gone.
            let _ = count.changed().await;
        }
    }

    /// Returns once the server has refused, since then, what has to be asked of `consumer`; says so. Safe to cancel.
    pub(crate) async fn consumer_denied(&self, since: Instant, consumer: &str) -> String {
        let is_meant = |subject: &str| {
            subject.starts_with("$JS.API.CONSUMER.")
                && subject.split('.').any(|token| token == consumer)
        };
        self.denied(since, is_meant).await
    }
}

/// Asks whether something is permitted for as long as it lives.
#[derive(Debug)]
pub struct Asking(#[expect(dead_code, reason = "it ends with this")] AbortOnDropHandle<()>);

impl Connection {
    /// Asks every second whether each of these subjects may be published to, by messages that mean nothing to whoever hears
    /// them. Without it a permission would be missed only when it is needed.
    #[must_use]
    pub fn ask(&self, needs: Vec<(String, &'static [u8])>) -> Asking {
        Asking(AbortOnDropHandle::new(tokio::spawn(ask(self.client.clone(), needs))))
    }
}

async fn ask(client: Client, needs: Vec<(String, &'static [u8])>) {
    let mut asks = interval(ASK);
    asks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        asks.tick().await;
        for (subject, body) in &needs {
            // What is sent while disconnected would arrive later, all of it at once.
            if client.connection_state() == State::Connected
                && let Err(error) = client.publish(subject.clone(), Bytes::from_static(body)).await
            {
                tracing::debug!(subject, %error, "asking for a permission failed");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denials_are_read() {
        let publish = "nats: Permissions Violation for Publish to \"events.article.1\"";
        assert_eq!(Denial::read(publish), Some(Denial::Publish("events.article.1".to_owned())));
        for subscribe in [
            "Permissions Violation for Subscription to \"queries.article.*\" (sid \"4\")",
            "Permissions Violation for Subscription to \"queries.article.*\" using queue \"projection\"",
        ] {
            let read = Denial::read(subscribe);
            assert_eq!(read, Some(Denial::Subscribe("queries.article.*".to_owned())));
        }
        assert_eq!(Denial::read("Stale Connection"), None);
    }

    #[test]
    fn a_service_is_unable_without_what_it_needs() {
        let denials = Denials::default();
        let since = Instant::now();
        denials.note("Permissions Violation for Publish to \"events.probe\"");
        assert_eq!(*denials.problem().borrow(), None, "permissions of an earlier release");
        denials.note("Permissions Violation for Publish to \"events.article.1\"");
        let problem = denials.problem().borrow().clone().expect("a problem");
        assert!(problem.contains("publish to events.article.1"), "{problem}");
        let denied = |subject: &str| denials.published(since, |denied| denied == subject);
        assert!(denied("events.probe").is_some() && denied("events.article.2").is_none());
    }
}
