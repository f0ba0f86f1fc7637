//! How much of the server clients from one address have.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::client_address::ClientAddress;

/// Counts what clients have by address, up to a limit.
#[derive(Debug)]
pub(super) struct Addresses {
    taken: Mutex<HashMap<IpAddr, usize>>,
    max: usize,
}

/// One of those that an address may have; it is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    address: IpAddr,
    addresses: Arc<Addresses>,
}

impl Addresses {
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { taken: Mutex::default(), max })
    }

    /// One more for `address`, if it may have one more.
    pub(super) fn take(self: &Arc<Self>, address: ClientAddress) -> Option<Seat> {
        let address = address.network();
        let mut taken = self.lock();
        let number = taken.get(&address).copied().unwrap_or(0);
        if number >= self.max {
            return None;
        }
        taken.insert(address, number + 1);
        Some(Seat { address, addresses: self.clone() })
    }

    // Nothing panics while the lock is held.
    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.addresses.lock();
        if let Some(number) = taken.get_mut(&self.address) {
            *number -= 1;
            if *number == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_own_and_nothing_is_left_behind() {
        let address = |last| ClientAddress::from(IpAddr::from([192, 0, 2, last]));
        let addresses = Addresses::new(2);
        let (first, _second) = (addresses.take(address(1)), addresses.take(address(1)));
        assert!(addresses.take(address(1)).is_none());
        assert!(addresses.take(address(2)).is_some());
        drop(first);
        assert!(addresses.take(address(1)).is_some());
        assert_eq!(addresses.lock().len(), 1);
    }
}
