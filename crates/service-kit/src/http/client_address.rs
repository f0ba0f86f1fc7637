//! Whom a request comes from: the connection's peer or, behind proxies that are trusted, the client that they name.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, header},
    middleware::Next,
    response::Response,
};
use ipnet::IpNet;
use serde::Deserialize;

/// The de-facto standard: `client, proxy, proxy`.
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// What one household or company has of IPv6 (RFC 6177): whoever has one address of it has all.
const IPV6_PREFIX: u8 = 64;

/// The other end of the connection; the server makes it an extension of each request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) IpAddr);

/// The client's address, as far as it can be known; an extension of every request that a [`Site`](crate::Site) serves.
/// It is a personal datum: count by it, and log it nowhere but in the line of the request, where `http.log_client_address` allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddress(IpAddr);

impl ClientAddress {
    /// The address itself; an IPv4 address that was mapped into IPv6 is an IPv4 address.
    #[must_use]
    pub fn ip(self) -> IpAddr {
        self.0
    }

    /// What a limit for each address counts by: the address, or the /64 network of an IPv6 address.
    #[must_use]
    pub fn network(self) -> IpAddr {
        match self.0 {
            IpAddr::V4(_) => self.0,
            IpAddr::V6(address) => {
                let mask = u128::MAX << (Ipv6Addr::BITS - u32::from(IPV6_PREFIX));
                Ipv6Addr::from_bits(address.to_bits() & mask).into()
            }
        }
    }
}

impl From<IpAddr> for ClientAddress {
    fn from(address: IpAddr) -> Self {
        Self(address.to_canonical())
    }
}

/// `http.trusted_proxies`: whose word is taken about where a request comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct TrustedProxies(Vec<IpNet>);

impl TryFrom<String> for TrustedProxies {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let network = |entry: &str| {
            let address = entry.parse::<IpAddr>().map(IpNet::from);
            address.or_else(|_| entry.parse()).map_err(|_| {
                format!("{entry:?}: addresses or networks such as 10.0.0.0/8 were expected")
            })
        };
        entries.map(network).collect::<Result<_, _>>().map(Self)
    }
}

impl TrustedProxies {
    /// The client behind `peer`: from the nearest hop on, the first that is not trusted. Headers of a peer that is not
    /// trusted are its own invention.
    #[must_use]
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> ClientAddress {
        let peer = ClientAddress::from(peer);
        if !self.trusts(peer) {
            return peer;
        }
        let by_name = self.farthest(peer, hops(headers, &X_FORWARDED_FOR, str::trim));
        let by_standard = self.farthest(peer, hops(headers, &header::FORWARDED, forwarded_for));
        match (headers.contains_key(X_FORWARDED_FOR), headers.contains_key(header::FORWARDED)) {
            (true, false) => by_name,
            (false, true) => by_standard,
            // A proxy sets one of the two and lets the client's other one pass: only what both say is true.
            (true, true) if by_name == by_standard => by_name,
            _ => peer,
        }
    }

    /// Walks from the nearest hop, which is the last one named, as long as the one that speaks is trusted.
    fn farthest(
        &self,
        peer: ClientAddress,
        hops: impl DoubleEndedIterator<Item = Option<IpAddr>>,
    ) -> ClientAddress {
        let mut client = peer;
        for hop in hops.rev() {
            // An obfuscated hop, or nonsense: behind it nobody is known.
            let Some(hop) = hop.filter(|_| self.trusts(client)) else { break };
            client = hop.into();
        }
        client
    }

    pub(super) fn trusts(&self, address: ClientAddress) -> bool {
        self.0.iter().any(|network| network.contains(&address.ip()))
    }
}

/// The hops that all lines of a header name, farthest first.
fn hops<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    node: impl Fn(&'a str) -> &'a str,
) -> impl DoubleEndedIterator<Item = Option<IpAddr>> {
    let lines = headers.get_all(name).iter().map(|line| line.to_str().unwrap_or_default());
    let hops: Vec<_> =
        lines.flat_map(|line| line.split(',')).map(|hop| address(node(hop))).collect();
    hops.into_iter()
}

/// The node of one element of `Forwarded` (RFC 7239, 4): `for=192.0.2.1;proto=https`.
fn forwarded_for(element: &str) -> &str {
    let pairs = element.split(';').filter_map(|pair| pair.trim().split_once('='));
    let mut nodes = pairs.filter(|(name, _)| name.eq_ignore_ascii_case("for"));
    nodes.next().map_or("", |(_, node)| node.trim_matches('"'))
}

/// An address, perhaps in brackets, perhaps with a port.
fn address(node: &str) -> Option<IpAddr> {
    let bare = node.strip_prefix('[').and_then(|node| node.strip_suffix(']')).unwrap_or(node);
    let with_port = || node.parse().map(|address: SocketAddr| address.ip());
    bare.parse().or_else(|_| with_port()).ok()
}

/// Gives the request its client's address.
pub(super) async fn locate(
    State(proxies): State<Arc<TrustedProxies>>,
    mut request: Request,
    next: Next,
) -> Response {
    if let Some(Peer(peer)) = request.extensions().get().copied() {
        let client = proxies.client(peer, request.headers());
        request.extensions_mut().insert(client);
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn client(proxies: &str, peer: &str, lines: &[(&'static str, &str)]) -> String {
        let proxies = TrustedProxies::try_from(proxies.to_owned()).expect("networks");
        let mut headers = HeaderMap::new();
        for (name, line) in lines {
            headers.append(*name, HeaderValue::from_str(line).expect("a header"));
        }
        proxies.client(peer.parse().expect("an address"), &headers).ip().to_string()
    }

    #[test]
    fn whoever_is_not_trusted_is_the_client() {
        let forged = [("x-forwarded-for", "192.0.2.7"), ("forwarded", "for=192.0.2.7")];
        for proxies in ["", "10.0.0.0/8, 2001:db8::1"] {
            assert_eq!(client(proxies, "198.51.100.1", &forged), "198.51.100.1");
        }
    }

    #[test]
    fn the_first_hop_that_is_not_trusted_is_the_client() {
        for (line, expected) in [
            ("192.0.2.7", "192.0.2.7"),
            // What the client claimed itself stands before it.
            ("203.0.113.9, 192.0.2.7", "192.0.2.7"),
            ("192.0.2.7, 10.0.0.2", "192.0.2.7"),
            ("192.0.2.7:4711", "192.0.2.7"),
            ("[2001:db8::7]:4711", "2001:db8::7"),
            ("2001:db8::7", "2001:db8::7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("192.0.2.7, unknown", "10.0.0.1"),
            ("", "10.0.0.1"),
        ] {
            let lines = [("x-forwarded-for", line)];
            assert_eq!(client("10.0.0.0/8", "10.0.0.1", &lines), expected, "{line}");
        }
        let lines =
            [("x-forwarded-for", "203.0.113.9"), ("x-forwarded-for", "192.0.2.7, 10.0.0.3")];
        assert_eq!(client("10.0.0.0/8", "::ffff:10.0.0.1", &lines), "192.0.2.7");
    }

    #[test]
    fn the_standard_header_is_read_as_well() {
        for (line, expected) in [
            ("for=192.0.2.7;proto=https;by=10.0.0.1", "192.0.2.7"),
            ("For=\"[2001:db8::7]:4711\"", "2001:db8::7"),
            ("for=203.0.113.9, proto=http;for=192.0.2.7", "192.0.2.7"),
            ("for=_hidden", "10.0.0.1"),
            ("proto=https", "10.0.0.1"),
        ] {
            assert_eq!(client("10.0.0.1", "10.0.0.1", &[("forwarded", line)]), expected, "{line}");
        }
    }

    #[test]
    fn two_headers_that_disagree_are_believed_neither() {
        let lines = |other| [("x-forwarded-for", "192.0.2.7"), ("forwarded", other)];
        assert_eq!(client("10.0.0.1", "10.0.0.1", &lines("for=192.0.2.7")), "192.0.2.7");
        assert_eq!(client("10.0.0.1", "10.0.0.1", &lines("for=203.0.113.9")), "10.0.0.1");
    }

    #[test]
    fn an_entry_that_is_no_network_is_named() {
        let error = TrustedProxies::try_from("10.0.0.1, edge".to_owned()).expect_err("no network");
        assert!(error.contains("edge"), "{error}");
    }

    #[test]
    fn addresses_of_one_ipv6_network_count_as_one() {
        let network = |address: &str| {
            ClientAddress::from(address.parse::<IpAddr>().expect("an address")).network()
        };
        assert_eq!(network("2001:db8:1:2::7"), network("2001:db8:1:2:ffff::1"));
        assert_ne!(network("2001:db8:1:2::7"), network("2001:db8:1:3::7"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }
}
