//! Which server of several is connected to next.
//!
//! The client would take any of them at random. So it would often come back to the server that it has just left because nothing
//! worked there.

use std::sync::{Arc, Mutex, PoisonError};

use async_nats::{ReconnectToServer, Server, ServerAddr};
use rand::seq::SliceRandom as _;

/// Takes servers in turn. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Rotation {
    /// The servers that were taken, the latest last.
    taken: Arc<Mutex<Vec<ServerAddr>>>,
}

impl Rotation {
    /// The next of `servers`: of those that failed least often the server that was taken longest ago. Servers that were never
    /// taken come first, in random order, so that clients spread over a cluster.
    pub fn next(&self, mut servers: Vec<Server>) -> Option<ReconnectToServer> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        servers.shuffle(&mut rand::rng());
        let longest_ago = |server: &Server| {
            let place = taken.iter().position(|taken| *taken == server.addr);
            (server.failed_attempts, place)
        };
        let addr = servers.iter().min_by_key(|server| longest_ago(server))?.addr.clone();
        taken.retain(|taken| *taken != addr);
        taken.push(addr.clone());
        // The pause is that of every other attempt.
        Some(ReconnectToServer { addr, delay: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(port: u16, failed_attempts: usize) -> Server {
        let addr = format!("127.0.0.1:{port}").parse().expect("an address");
        let (did_connect, is_discovered, last_error) = (false, false, None);
        Server { addr, failed_attempts, did_connect, is_discovered, last_error }
    }

    fn next(rotation: &Rotation, servers: &[Server]) -> u16 {
        rotation.next(servers.to_vec()).expect("there are some").addr.port()
    }

    #[test]
    fn each_has_its_turn_before_any_comes_again() {
        let rotation = Rotation::default();
        let servers = [server(1, 0), server(2, 0), server(3, 0)];
        let first: Vec<u16> = (0..3).map(|_| next(&rotation, &servers)).collect();
        let again: Vec<u16> = (0..3).map(|_| next(&rotation, &servers)).collect();
        assert_eq!(first, again);
        let mut all = first;
        all.sort_unstable();
        assert_eq!(all, [1, 2, 3]);
    }

    #[test]
    fn a_server_that_fails_waits_for_the_others() {
        let rotation = Rotation::default();
        let servers = [server(1, 2), server(2, 1), server(3, 0)];
        assert_eq!([next(&rotation, &servers), next(&rotation, &servers)], [3, 3]);
        assert_eq!(next(&rotation, &servers[..2]), 2);
        assert!(rotation.next(Vec::new()).is_none());
    }
}
