//! A connection of a service to NATS.

mod connect;
mod error;
mod link;
mod reading;
mod rotation;

use std::{
    ops::Deref,
    sync::{Arc, OnceLock, atomic::Ordering},
    time::Duration,
};

use async_nats::{Client, jetstream};
use secrecy::SecretString;
use serde::Deserialize;
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

pub(crate) use self::reading::Reading;
pub use self::{error::ConnectError, link::Link};
use crate::{
    history::History,
    leaving::Leaving,
    permissions::Denials,
    stream::{EventStream, StreamWatch, WatchTask},
};

/// How long closing may take.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

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
    /// For whoever asks services: when none answers, the server may be to blame.
    pub(crate) leaving: Leaving,
    _permissions: AbortOnDropHandle<()>,
}

impl Deref for Connection {
    type Target = Clients;

    fn deref(&self) -> &Clients {
        &self.0
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
            connection = connect::connect(settings, name) => connection.map(Some),
        }
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
        self.reading.problem()
    }

    /// Notes that the stream of events was opened, or why not.
    pub(crate) fn note_reading<E: ToString>(&self, opened: Result<(), &E>) {
        self.reading.note(opened);
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

/// How many connections the client has had.
pub(crate) fn connects(client: &Client) -> u64 {
    client.statistics().connects.load(Ordering::Acquire)
}
