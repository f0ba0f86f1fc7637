//! The first connect, and the options of every later one.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_nats::{Client, ConnectErrorKind, ConnectOptions, jetstream};
use secrecy::ExposeSecret as _;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::{
    Clients, ConnectError, Connection, Link, NatsSettings, Reading, link::note, rotation::Rotation,
};
use crate::{descriptions, history::History, leaving::Leaving, permissions::Denials};

/// How long a JetStream acknowledgement or API reply may take.
const ACK_TIMEOUT: Duration = Duration::from_secs(2);
/// How often a dead link is looked for. The client gives up a server at its third ping in a row without an answer.
const PING_INTERVAL: Duration = Duration::from_secs(1);
/// By how much the pause between two attempts to connect again grows, and the longest.
const RECONNECT_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_RECONNECT_PAUSE: Duration = Duration::from_millis(500);
/// How long a server may take to greet: one that stands still is accepted by its kernel and says nothing.
const GREETING: Duration = Duration::from_secs(2);
/// The pause between attempts of the first connect.
const CONNECT_PAUSE: Duration = Duration::from_millis(50);
/// How many failed attempts are nothing to speak of: whoever starts both starts us first.
const QUIET_ATTEMPTS: u32 = 20;
/// The first server versions without the bugs that would break us (nats-io/nats-server#8376).
const OLDEST: [(u64, u64, u64); 2] = [(2, 12, 14), (2, 14, 4)];

/// Connects as the service `name`, waiting for the server as long as it takes.
pub(super) async fn connect(
    settings: &NatsSettings,
    name: &str,
) -> Result<Connection, ConnectError> {
    descriptions::describe();
    if settings.url.is_empty() {
        return Err(ConnectError::NoUrl);
    }
    let user = if settings.user.is_empty() { name } else { settings.user.as_str() };
    let (changes, mut link) = watch::channel(Link::default());
    let (denials, rotation) = (Denials::default(), Rotation::default());
    let mut attempts = 0;
    let client = loop {
        match connect_once(settings, name, user, &changes, &denials, &rotation).await {
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
    let permissions = AbortOnDropHandle::new(tokio::spawn(denials.clone().watch(client.clone())));
    let leaving = Leaving::new(client.clone());
    Ok(Connection(Arc::new(Clients {
        leaving,
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
    rotation: &Rotation,
) -> Result<Client, async_nats::ConnectError> {
    let servers: Vec<&str> = settings.url.split(',').map(str::trim).collect();
    let rotation = rotation.clone();
    options(settings, name, user, changes.clone(), denials.clone())
        .reconnect_to_server_callback(move |servers, _| std::future::ready(rotation.next(servers)))
        .connect(servers)
        .await
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
