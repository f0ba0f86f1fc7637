//! Web origins (RFC 6454): whose pages may read answers, and open a socket.

use std::{collections::BTreeSet, fmt, sync::Arc};

use axum::http::Uri;
use serde::{
    Deserialize, Deserializer,
    de::{self, SeqAccess, Visitor},
};

/// The origins whose pages may use the API. Empty: none, so that browsers keep every page of another origin away.
/// Cheap to clone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins(Arc<BTreeSet<String>>);

impl Origins {
    /// Whether no origin is allowed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `origin`, as an `Origin` header has it, is one of them. Origins are compared byte by byte: browsers send
    /// them in one form only (RFC 6454, 6.2).
    #[must_use]
    pub fn allows(&self, origin: &str) -> bool {
        self.0.contains(origin)
    }

    /// Reads `origins` in any order.
    ///
    /// # Errors
    /// Names the one that is not exact.
    pub fn new<'a>(origins: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let origins = origins.into_iter().map(str::trim).filter(|origin| !origin.is_empty());
        origins.map(exact).collect::<Result<_, _>>().map(|origins| Self(Arc::new(origins)))
    }
}

/// The origin as browsers send it: scheme and host in lower case, no default port, nothing behind it.
fn exact(origin: &str) -> Result<String, String> {
    let wrong =
        || format!("{origin} is no exact origin such as https://example.com or http://a:8080");
    let authority = origin
        .split_once("://")
        .map(|(_, authority)| authority)
        .filter(|authority| !authority.contains(['/', '?', '#', '@', '*']))
        .ok_or_else(wrong)?;
    let uri: Uri = origin.parse().map_err(|_| wrong())?;
    let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else { return Err(wrong()) };
    let (scheme, host) = (scheme.to_ascii_lowercase(), host.to_ascii_lowercase());
    let port = match (scheme.as_str(), uri.port_u16()) {
        // A colon with something else than a port behind it.
        (_, None) if authority.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']')) => {
            return Err(wrong());
        }
        ("http", Some(80)) | ("https", Some(443)) | (_, None) => String::new(),
        (_, Some(port)) => format!(":{port}"),
    };
    if host.is_empty() { Err(wrong()) } else { Ok(format!("{scheme}://{host}{port}")) }
}

/// A list, or one text with commas, as the environment has it.
impl<'de> Deserialize<'de> for Origins {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListOrText)
    }
}

struct ListOrText;

impl<'de> Visitor<'de> for ListOrText {
    type Value = Origins;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of origins, or origins separated by commas")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Origins, E> {
        Origins::new(text.split(',')).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Origins, A::Error> {
        let mut list: Vec<String> = Vec::new();
        while let Some(element) = elements.next_element()? {
            list.push(element);
        }
        Origins::new(list.iter().map(String::as_str)).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_origins_are_taken_in_the_form_that_browsers_send() {
        let text = "https://Example.com:443, http://[::1]:8080,,http://a:80";
        let origins = Origins::new(text.split(',')).expect("exact");
        for origin in ["https://example.com", "http://[::1]:8080", "http://a"] {
            assert!(origins.allows(origin), "{origin}");
        }
        for origin in ["http://example.com", "https://example.com.eve.net", "https://a", "null", ""]
        {
            assert!(!origins.allows(origin), "{origin}");
        }
        assert!(Origins::default().is_empty());
    }

    #[test]
    fn what_is_not_one_exact_origin_is_named() {
        for origin in
            ["*", "null", "example.com", "https://*.a", "https://a/", "https://u@a", "http://a:x"]
        {
            let error = Origins::new([origin]).expect_err(origin);
            assert!(error.contains(origin), "{error}");
        }
    }
}
