//! Connecting to NATS, and the state of the link.

use std::{
    ops::Deref,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, jetstream};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::{sync::watch, time::Instant};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{
    Throttle, descriptions,
    history::History,
    names,
    permissions::Denials,
    stream::{EventStream, StreamWatch, WatchTask},
};

/// How long a JetStream acknowledgement or API reply may take.
const ACK_TIMEOUT: Duration = Duration::from_secs(2);
/// How often a dead link is looked for. The client gives up a server at its third ping in a row without an answer.
const PING_INTERVAL: Duration = Duration::from_secs(1);
/// By how much the pause between two attempts to connect again grows, and the longest.
const RECONNECT_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_RECONNECT_PAUSE: Duration = Duration::from_millis(500);
/// How long a server may take to greet: one that stands still is accepted by its kernel and says nothing.
const GREETING: Duration = Duration::from_secs(2);
/// How long the stream may be unreadable before anybody is told: a server that restarts is away for a moment.
const UNREADABLE: Duration = Duration::from_secs(1);
/// What is said of a stream that was deleted. An empty one in its place would hide that events are lost.
const MISSING: &str = "the stream EVENTS is gone: restore it from a backup (README.md, \"When the stream is damaged\")";
const LINKED: &str = "nats_connected";
/// The pause between attempts of the first connect.
const CONNECT_PAUSE: Duration = Duration::from_millis(50);
/// How many failed attempts are nothing to speak of: whoever starts both starts us first.
const QUIET_ATTEMPTS: u32 = 20;
/// How long closing may take.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);
/// The first server versions without the bugs that would break us (nats-io/nats-server#8376).
const OLDEST: [(u64, u64, u64); 2] = [(2, 12, 14), (2, 14, 4)];

/// Where NATS is, and as whom to connect.
#[derive(Debug, Clone, Deserialize)]
pub struct NatsSettings {
    /// `nats://host:port`, several separated by commas.
    pub url: String,
    /// The user; empty means the name of the service.
    #[serde(default)]
    pub user: String,
    /// Its password; empty connects without one, as a guest.
    #[serde(default)]
    pub password: SecretString,
    /// A file with the certificate authority to trust; empty means the system's.
    #[serde(default)]
    pub ca_file: String,
}

/// The state of the link, as of the last change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Link {
    /// Whether there is a connection now.
    pub connected: bool,
    /// How often there was a new one: a change means that the server may have forgotten its memory.
    pub connects: u64,
    /// Whether it is over for good.
    pub closed: bool,
}

/// No connection, and trying again is of no use.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The setting is missing.
    #[error("setting nats.url is missing: nats://host:port was expected")]
    NoUrl,
    /// The server does not take the user or password.
    #[error("NATS at {url} refused the user {user}: check nats.user and nats.password")]
    Denied {
        /// The server.
        url: String,
        /// The user.
        user: String,
    },
    /// The server is too old.
    #[error(
        "nats-server {found} is too old: 2.12.14 or newer of 2.12, 2.14.4 or newer is required"
    )]
    TooOld {
        /// Its version.
        found: String,
    },
    /// The address or another option cannot be used.
    #[error("cannot connect to NATS at {url}")]
    Settings {
        /// The server.
        url: String,
        /// What is wrong.
        #[source]
        source: async_nats::ConnectError,
    },
}

/// A connection of one service. Cheap to clone, which the client itself is not.
#[derive(Debug, Clone)]
pub struct Connection(pub(crate) Arc<Clients>);

/// The clients of a connection. For this crate alone to use.
#[derive(Debug)]
pub struct Clients {
    pub(crate) client: Client,
    pub(crate) jetstream: jetstream::Context,
    link: watch::Receiver<Link>,
    stream: OnceLock<WatchTask>,
    pub(crate) denials: Denials,
    reading: Reading,
    pub(crate) history: History,
    _permissions: AbortOnDropHandle<()>,
}

/// Whether the stream of events is there, and can be opened. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reading {
    failing_since: Arc<Mutex<Option<Instant>>>,
    /// Whether there is no such stream.
    missing: watch::Sender<bool>,
    /// Why it cannot be opened.
    unopened: watch::Sender<Option<String>>,
    problem: watch::Sender<Option<String>>,
}

impl Reading {
    /// Notes whether the stream is there.
    pub(crate) fn note_missing(&self, missing: bool) {
        if missing && !self.missing.send_replace(missing) {
            tracing::error!("{MISSING}");
        }
        self.missing.send_replace(missing);
        self.tell();
    }

    fn note_opened(&self, unopened: Option<String>) {
        self.unopened.send_replace(unopened);
        self.tell();
    }

    fn tell(&self) {
        let missing = self.missing.borrow().then(|| MISSING.to_owned());
        let problem = missing.or_else(|| self.unopened.borrow().clone());
        self.problem.send_if_modified(|known| {
            let changed = *known != problem;
            *known = problem;
            changed
        });
    }
}

impl Deref for Connection {
    type Target = Clients;

    fn deref(&self) -> &Clients {
        &self.0
    }
}

impl Link {
    /// Why a service that needs NATS is not ready, if it is not.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        (!self.connected).then(|| "not connected to NATS".to_owned())
    }
}

impl Connection {
    /// Connects as the service `name`, waiting for the server as long as it takes; `None` after `stop`.
    ///
    /// Once connected, a lost link comes back by itself.
    pub async fn open(
        settings: &NatsSettings,
        name: &str,
        stop: &CancellationToken,
    ) -> Result<Option<Self>, ConnectError> {
        tokio::select! {
            () = stop.cancelled() => Ok(None),
            connection = Self::connect(settings, name) => connection.map(Some),
        }
    }

    async fn connect(settings: &NatsSettings, name: &str) -> Result<Self, ConnectError> {
        descriptions::describe();
        if settings.url.is_empty() {
            return Err(ConnectError::NoUrl);
        }
        let user = if settings.user.is_empty() { name } else { settings.user.as_str() };
        let (changes, mut link) = watch::channel(Link::default());
        let denials = Denials::default();
        let mut attempts = 0;
        let client = loop {
            match connect_once(settings, name, user, &changes, &denials).await {
                Ok(client) => break client,
                Err(error) => match error.kind() {
                    ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                        return Err(ConnectError::Denied {
                            url: without_secrets(&settings.url),
                            user: user.to_owned(),
                        });
                    }
                    ConnectErrorKind::ServerParse | ConnectErrorKind::Tls => {
                        return Err(ConnectError::Settings {
                            url: without_secrets(&settings.url),
                            source: error,
                        });
                    }
                    _ => {
                        attempts += 1;
                        if attempts == QUIET_ATTEMPTS {
                            let url = without_secrets(&settings.url);
                            tracing::warn!(nats.url = url, %error, "waiting for NATS");
                        }
                        tokio::time::sleep(CONNECT_PAUSE).await;
                    }
                },
            }
        };
        check_version(&client.server_info().version)?;
        let jetstream = jetstream::ContextBuilder::new()
            .timeout(ACK_TIMEOUT)
            .ack_timeout(ACK_TIMEOUT)
            .build(client.clone());
        // The client tells of its first connection a moment after it has it. The sender lives in the client.
        let _ = link.wait_for(|link| link.connected).await;
        let permissions =
            AbortOnDropHandle::new(tokio::spawn(denials.clone().watch(client.clone())));
        Ok(Self(Arc::new(Clients {
            client,
            jetstream,
            link,
            stream: OnceLock::new(),
            denials,
            reading: Reading::default(),
            history: History::default(),
            _permissions: permissions,
        })))
    }

    /// The state of the link, and its changes.
    #[must_use]
    pub fn link(&self) -> watch::Receiver<Link> {
        self.link.clone()
    }

    /// Which stream of events this leads to. From the first call on it is looked after.
    #[must_use]
    pub fn stream(&self) -> &StreamWatch {
        let start = || {
            let stream = EventStream::new(self.jetstream.clone());
            let (link, reading) = (self.link(), self.reading.clone());
            WatchTask::start(self.client.clone(), stream, link, reading, Arc::downgrade(&self.0))
        };
        &self.stream.get_or_init(start).watch
    }

    /// Whether there is a link now.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.link.borrow().connected
    }

    /// Why the stream of events cannot be read, when that goes on for more than a moment, and the changes of that.
    #[must_use]
    pub fn reading(&self) -> watch::Receiver<Option<String>> {
        // Whether it is there is looked at from now on.
        let _ = self.stream();
        self.reading.problem.subscribe()
    }

    /// Notes that the stream of events was opened, or why not.
    pub(crate) fn note_reading<E: ToString>(&self, opened: Result<(), &E>) {
        let mut since = self.reading.failing_since.lock().unwrap_or_else(PoisonError::into_inner);
        let unopened = match opened {
            Ok(()) => {
                *since = None;
                None
            }
            Err(error) => {
                if since.get_or_insert_with(Instant::now).elapsed() < UNREADABLE {
                    return;
                }
                Some(format!("the stream {} cannot be read: {}", names::EVENTS, error.to_string()))
            }
        };
        self.reading.note_opened(unopened);
    }

    /// Returns when there is another connection than the one numbered `connects`.
    pub(crate) async fn renewed(&self, connects: u64) {
        let mut link = self.link();
        let newer = link.wait_for(|link| link.connected && link.connects != connects).await.is_ok();
        if !newer {
            // The client is gone, and with it whoever waits.
            std::future::pending::<()>().await;
        }
    }

    /// Sends what is buffered and closes; returns when that is done, or takes too long.
    ///
    /// Errors at this point change nothing for anybody and are logged only.
    pub async fn close(&self) {
        let closing = async {
            if let Err(error) = self.client.drain().await {
                tracing::debug!(%error, "draining the NATS connection failed");
            }
            // An error means that it is gone already.
            let _ = self.link().wait_for(|link| link.closed).await;
        };
        if tokio::time::timeout(CLOSE_PATIENCE, closing).await.is_err() {
            tracing::debug!("the NATS connection did not close in time");
        }
    }
}

/// The addresses of `url` without the names and passwords that may stand before them.
fn without_secrets(url: &str) -> String {
    let bare = |server: &str| {
        let (scheme, rest) = server.split_once("://").unwrap_or(("nats", server));
        let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
        format!("{scheme}://{host}")
    };
    url.split(',').map(|server| bare(server.trim())).collect::<Vec<_>>().join(",")
}

async fn connect_once(
    settings: &NatsSettings,
    name: &str,
    user: &str,
    changes: &watch::Sender<Link>,
    denials: &Denials,
) -> Result<Client, async_nats::ConnectError> {
    let servers: Vec<&str> = settings.url.split(',').map(str::trim).collect();
    options(settings, name, user, changes.clone(), denials.clone()).connect(servers).await
}

fn options(
    settings: &NatsSettings,
    name: &str,
    user: &str,
    changes: watch::Sender<Link>,
    denials: Denials,
) -> ConnectOptions {
    let password = settings.password.expose_secret();
    let service = name.to_owned();
    let mut options = ConnectOptions::new()
        .name(format!("newswire-{name}"))
        .ping_interval(PING_INTERVAL)
        .connection_timeout(GREETING)
        .reconnect_delay_callback(|attempts| {
            let attempts = u32::try_from(attempts).unwrap_or(u32::MAX);
            RECONNECT_PAUSE.saturating_mul(attempts).min(LONGEST_RECONNECT_PAUSE)
        })
        .request_timeout(Some(ACK_TIMEOUT))
        .event_callback(move |event| {
            note(&event, &service, &changes, &denials);
            std::future::ready(())
        });
    // A guest is not allowed another prefix than the default.
    if !password.is_empty() {
        options = options
            .custom_inbox_prefix(format!("_INBOX_{user}"))
            .user_and_password(user.to_owned(), password.to_owned());
    }
    if !settings.ca_file.is_empty() {
        options = options.add_root_certificates(settings.ca_file.clone().into()).require_tls(true);
    }
    options
}

fn note(event: &Event, service: &str, changes: &watch::Sender<Link>, denials: &Denials) {
    static AWAY: Throttle = Throttle::new();
    static REFUSED: Throttle = Throttle::new();
    static FULL: Throttle = Throttle::new();
    match event {
        Event::Connected => {
            measure_link(service, true);
            changes.send_modify(|link| {
                *link = Link { connected: true, connects: link.connects + 1, closed: false };
            });
            let is_first = changes.borrow().connects == 1;
            let held_back = AWAY.over();
            if is_first || held_back.is_some() {
                tracing::info!(held_back, "NATS connected");
            }
        }
        Event::Disconnected => {
            measure_link(service, false);
            changes.send_modify(|link| link.connected = false);
            if let Some(held_back) = AWAY.pass() {
                tracing::warn!(held_back, "NATS disconnected");
            }
        }
        Event::Closed => {
            measure_link(service, false);
            changes.send_modify(|link| {
                *link = Link { connected: false, closed: true, ..*link };
            });
        }
        // A denied publish or subscription shows nowhere else: its caller only times out.
        Event::ServerError(error) => {
            metrics::counter!("nats_server_errors_total").increment(1);
            denials.note(&error.to_string());
            if let Some(held_back) = REFUSED.pass() {
                tracing::error!(%error, held_back, "NATS server error");
            }
        }
        Event::SlowConsumer(_) => {
            metrics::counter!("nats_slow_consumer_total").increment(1);
            if let Some(held_back) = FULL.pass() {
                tracing::warn!(held_back, "NATS subscription is full, messages were dropped");
            }
        }
        other => tracing::debug!(event = %other, "NATS event"),
    }
}

fn measure_link(service: &str, is_connected: bool) {
    metrics::describe_gauge!(LINKED, "1 while the service is connected to NATS, 0 otherwise");
    metrics::gauge!(LINKED, "service" => service.to_owned()).set(f64::from(u8::from(is_connected)));
}

fn check_version(version: &str) -> Result<(), ConnectError> {
    let numbers = version.split('-').next().unwrap_or_default();
    let mut parts = numbers.split('.').map(|part| part.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    let found = (next(), next(), next());
    let [old, new] = OLDEST;
    let old_series = found >= old && (found.0, found.1) == (old.0, old.1);
    if old_series || found >= new {
        Ok(())
    } else {
        Err(ConnectError::TooOld { found: version.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_repeated() {
        let url = "nats://ann:secret@one:4222, two:4222";
        assert_eq!(without_secrets(url), "nats://one:4222,nats://two:4222");
    }

    #[test]
    fn old_servers_are_refused_and_new_ones_are_not() {
        for old in ["2.10.29", "2.12.13", "2.13.9", "2.14.3", "2.14.3-RC.2", "nonsense"] {
            assert!(check_version(old).is_err(), "{old}");
        }
        for new in ["2.12.14", "2.14.4", "2.15.1", "2.15.0-RC.1", "3.0.0"] {
            assert!(check_version(new).is_ok(), "{new}");
        }
    }
}
