//! How many connections there may be: in all, and from one address. When all places are taken, whoever keeps one and does
//! nothing with it makes room.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    addresses::{Addresses, Seat},
    client_address::{ClientAddress, Peer, TrustedProxies},
    measure,
    problem::Problem,
    progress::Progress,
};
use crate::{health::Component, settings::HttpSettings};

/// A connection on which a client has done nothing for so long makes room for another when there is none.
const SETTLED: Duration = Duration::from_secs(1);
/// How often such a connection is looked for while somebody waits for a place.
const LOOK: Duration = Duration::from_millis(100);
/// When it is worth trying again, in seconds.
const RETRY_AFTER: u32 = 5;

/// The places of one server.
#[derive(Debug)]
pub struct Connections {
    max: usize,
    places: Arc<Semaphore>,
    open: Mutex<Open>,
    addresses: Arc<Addresses>,
    proxies: TrustedProxies,
    /// Of the public address only.
    component: Option<Component>,
}

#[derive(Debug, Default)]
struct Open {
    connections: HashMap<u64, Connection>,
    last_id: u64,
    room: Room,
}

#[derive(Debug, Clone)]
struct Connection {
    progress: Progress,
    displaced: CancellationToken,
}

/// Whether another client can be served.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Room {
    /// There are free places.
    #[default]
    Free,
    /// Every place is taken; a client that does nothing would make room.
    Full,
    /// Every place is taken, and somebody has been waiting for one.
    Waiting,
}

/// One connection's place; it is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    id: u64,
    connection: Connection,
    one_of_all: Option<OwnedSemaphorePermit>,
    _one_of_address: Option<Seat>,
    connections: Arc<Connections>,
}

impl Connections {
    /// The places of the public address; `component` says when there are none left.
    pub(super) fn new(settings: &HttpSettings, component: Component) -> Arc<Self> {
        component.ready();
        Arc::new(Self {
            max: settings.max_connections.get(),
            places: Arc::new(Semaphore::new(settings.max_connections.get())),
            open: Mutex::default(),
            addresses: Addresses::new(settings.max_connections_per_address.get()),
            proxies: settings.trusted_proxies.clone(),
            component: Some(component),
        })
    }

    /// So many places, whoever takes them.
    #[must_use]
    pub fn private(max: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            places: Arc::new(Semaphore::new(max)),
            open: Mutex::default(),
            addresses: Addresses::new(usize::MAX),
            proxies: TrustedProxies::default(),
            component: None,
        })
    }

    /// A place for a connection from `peer`, as soon as there is one; none when its address has as many as it may have.
    ///
    /// Proxies that are trusted are not counted: their clients are, by [`limit`].
    pub(super) async fn admit(self: &Arc<Self>, peer: Peer) -> Option<Place> {
        let peer = ClientAddress::from(peer.0);
        let seat = if self.proxies.trusts(peer) { None } else { Some(self.addresses.take(peer)?) };
        let permit = self.permit().await?;
        let (progress, displaced) = (Progress::new(), CancellationToken::new());
        let connection = Connection { progress, displaced };
        let id = {
            let mut open = self.lock();
            open.last_id += 1;
            let id = open.last_id;
            open.connections.insert(id, connection.clone());
            id
        };
        self.tell(self.room());
        let one_of_all = Some(permit);
        Some(Place { id, connection, one_of_all, _one_of_address: seat, connections: self.clone() })
    }

    /// One of all places. `None` never happens: nobody closes the semaphore.
    async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        let since = Instant::now();
        loop {
            if let Ok(permit) = self.places.clone().try_acquire_owned() {
                return Some(permit);
            }
            self.displace_one();
            if let Ok(permit) = timeout(LOOK, self.places.clone().acquire_owned()).await {
                return permit.ok();
            }
            if since.elapsed() >= SETTLED {
                self.tell(Room::Waiting);
            }
        }
    }

    /// Ends the connection whose client has kept the server waiting for longest: rather in the middle of a request or an
    /// answer than between two.
    fn displace_one(&self) {
        let open = self.lock();
        let settled = settled(&open);
        let longest = settled.min_by_key(|(amid, since, _)| (!amid, *since));
        if let Some((_, _, connection)) = longest {
            connection.displaced.cancel();
        }
    }

    /// Ends every connection on which a client does nothing.
    pub(super) fn displace_all(&self) {
        settled(&self.lock()).for_each(|(_, _, connection)| connection.displaced.cancel());
    }

    fn room(&self) -> Room {
        if self.places.available_permits() == 0 { Room::Full } else { Room::Free }
    }

    fn tell(&self, room: Room) {
        let Some(component) = &self.component else { return };
        let mut open = self.lock();
        measure::open(open.connections.len());
        if open.room == room {
            return;
        }
        open.room = room;
        let taken =
            || format!("all {} connections are taken (setting http.max_connections)", self.max);
        match room {
            Room::Free => component.ready(),
            Room::Full => component.warning(taken()),
            Room::Waiting => component.not_ready(format!("{}, and new clients wait", taken())),
        }
    }

    // Nothing panics while the lock is held.
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connections whose clients have kept the server waiting for a while, and are not ended yet.
fn settled(open: &Open) -> impl Iterator<Item = (bool, Instant, &Connection)> {
    let staying = open.connections.values().filter(|one| !one.displaced.is_cancelled());
    let waiting = staying.filter_map(|connection| {
        let (amid, since) = connection.progress.waits_for_client()?;
        Some((amid, since, connection))
    });
    waiting.filter(|(_, since, _)| since.elapsed() >= SETTLED)
}

impl Place {
    pub(super) fn progress(&self) -> &Progress {
        &self.connection.progress
    }

    /// Returns when another client needs the place more.
    pub(super) async fn displaced(&self) {
        self.connection.displaced.cancelled().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.lock().connections.remove(&self.id);
        self.one_of_all = None;
        self.connections.tell(self.connections.room());
    }
}

/// Refuses a request of a client behind a trusted proxy that has as many under way as it may have.
pub(super) async fn limit(
    State(connections): State<Arc<Connections>>,
    request: Request,
    next: Next,
) -> Response {
    let extensions = request.extensions();
    let peer = extensions.get::<Peer>().map(|peer| ClientAddress::from(peer.0));
    let client = extensions.get::<ClientAddress>().copied();
    let _seat = match client {
        Some(client) if peer != Some(client) => match connections.addresses.take(client) {
            Some(seat) => Some(seat),
            None => return too_many().into_response(),
        },
        _ => None,
    };
    next.run(request).await
}

/// The address has as many connections as it may have.
pub(super) fn too_many() -> Problem {
    let detail = "this address has as many connections as it may have";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many-connections-of-address", detail)
        .retry_after(RETRY_AFTER)
}
