//! How many clients there may be: in all, of those that nobody knows, and of those from one address.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use service_kit::{Problem, http::client_address::ClientAddress};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::PushSettings;

/// When it is worth trying again, in seconds.
const RETRY_AFTER: u32 = 5;

/// The places of this process. A client that has authenticated takes none of those for anonymous clients.
#[derive(Debug)]
pub(crate) struct Places {
    all: Arc<Semaphore>,
    anonymous: Arc<Semaphore>,
    of_address: Mutex<HashMap<IpAddr, usize>>,
    max_of_address: usize,
}

/// One client's place; it is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _one_of_all: OwnedSemaphorePermit,
    anonymous: Option<Anonymous>,
}

/// The place of a client that has not authenticated.
#[derive(Debug)]
struct Anonymous {
    _one_of_them: OwnedSemaphorePermit,
    address: IpAddr,
    places: Arc<Places>,
}

/// There is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// For anybody.
    All,
    /// For anonymous clients.
    Anonymous,
    /// For anonymous clients from this address.
    Address,
}

impl Places {
    pub(crate) fn new(settings: &PushSettings) -> Self {
        Self {
            all: Arc::new(Semaphore::new(settings.max_clients.get())),
            anonymous: Arc::new(Semaphore::new(settings.max_anonymous_clients.get())),
            of_address: Mutex::default(),
            max_of_address: settings.max_anonymous_clients_per_address.get(),
        }
    }

    /// A place for a client; with its address when the client is anonymous.
    pub(crate) fn take(self: &Arc<Self>, anonymous: Option<ClientAddress>) -> Result<Place, Full> {
        let one_of_all = self.all.clone().try_acquire_owned().map_err(|_| Full::All)?;
        let anonymous = anonymous.map(|address| self.take_anonymous(address.network()));
        Ok(Place { _one_of_all: one_of_all, anonymous: anonymous.transpose()? })
    }

    fn take_anonymous(self: &Arc<Self>, address: IpAddr) -> Result<Anonymous, Full> {
        let permit = self.anonymous.clone().try_acquire_owned().map_err(|_| Full::Anonymous)?;
        let mut of_address = self.lock();
        let taken = of_address.get(&address).copied().unwrap_or(0);
        if taken >= self.max_of_address {
            return Err(Full::Address);
        }
        of_address.insert(address, taken + 1);
        Ok(Anonymous { _one_of_them: permit, address, places: self.clone() })
    }

    // Nothing panics while the lock is held.
    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.of_address.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// The client has authenticated.
    pub(crate) fn is_known(&mut self) {
        self.anonymous = None;
    }
}

impl Drop for Anonymous {
    fn drop(&mut self) {
        let mut of_address = self.places.lock();
        if let Some(taken) = of_address.get_mut(&self.address) {
            *taken -= 1;
            if *taken == 0 {
                of_address.remove(&self.address);
            }
        }
    }
}

impl IntoResponse for Full {
    fn into_response(self) -> Response {
        let (status, code, detail) = match self {
            Self::All => (
                StatusCode::SERVICE_UNAVAILABLE,
                "too-many-sockets",
                "this server has as many live sockets as it takes",
            ),
            Self::Anonymous => (
                StatusCode::SERVICE_UNAVAILABLE,
                "too-many-anonymous-sockets",
                "this server has as many live sockets without a token as it takes",
            ),
            Self::Address => (
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-sockets-of-address",
                "this address has as many live sockets without a token as it may have",
            ),
        };
        Problem::new(status, code, detail).retry_after(RETRY_AFTER).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(all: usize, anonymous: usize, of_address: usize) -> Arc<Places> {
        Arc::new(Places {
            all: Arc::new(Semaphore::new(all)),
            anonymous: Arc::new(Semaphore::new(anonymous)),
            of_address: Mutex::default(),
            max_of_address: of_address,
        })
    }

    fn address(last: u8) -> ClientAddress {
        IpAddr::from([192, 0, 2, last]).into()
    }

    #[test]
    fn each_limit_has_its_own_answer() {
        let places = places(4, 3, 2);
        let _first = places.take(Some(address(1))).expect("a place");
        let second = places.take(Some(address(1))).expect("a place");
        assert_eq!(places.take(Some(address(1))).err(), Some(Full::Address));
        let _other = places.take(Some(address(2))).expect("a place");
        assert_eq!(places.take(Some(address(3))).err(), Some(Full::Anonymous));
        let _known = places.take(None).expect("a place");
        assert_eq!(places.take(None).err(), Some(Full::All));
        drop(second);
        assert!(places.take(Some(address(1))).is_ok());
        assert_eq!(places.lock().len(), 2);
    }

    #[test]
    fn whoever_authenticates_makes_room_for_another_stranger() {
        let places = places(4, 1, 1);
        let mut place = places.take(Some(address(1))).expect("a place");
        place.is_known();
        assert!(places.take(Some(address(1))).is_ok());
        assert!(places.lock().is_empty());
    }
}
