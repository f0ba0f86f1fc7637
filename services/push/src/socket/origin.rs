//! Whose pages may open a socket. Browsers let every page open one, send its cookies along and say in `Origin` whose page it
//! is (RFC 6455, 10.2); so the server has to look.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use service_kit::{Origins, Problem};

/// Refuses a page of another origin than this server's and the allowed ones. Without an `Origin` it is no page that asks.
pub(super) fn check(headers: &HeaderMap, allowed: &Origins) -> Result<(), Problem> {
    let origins = headers.get_all(header::ORIGIN);
    let host = headers.get(header::HOST);
    let may = |origin: &HeaderValue| {
        let origin = origin.to_str().unwrap_or_default();
        allowed.allows(origin) || host.is_some_and(|host| is_same(origin, host))
    };
    if origins.iter().all(may) {
        return Ok(());
    }
    let detail = "pages of this origin may not open a socket";
    Err(Problem::new(StatusCode::FORBIDDEN, "origin-not-allowed", detail))
}

/// Whether an origin is the host that was asked. TLS may end at a proxy, so the scheme says nothing here.
fn is_same(origin: &str, host: &HeaderValue) -> bool {
    let authority = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    authority.is_some_and(|authority| authority.as_bytes().eq_ignore_ascii_case(host.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(origins: &[&'static str]) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("news.example:8080"));
        for origin in origins {
            headers.append(header::ORIGIN, HeaderValue::from_static(origin));
        }
        let allowed = Origins::new(["https://app.example"]).expect("exact");
        check(&headers, &allowed).is_ok()
    }

    #[test]
    fn the_same_origin_an_allowed_one_and_none_may() {
        for origins in [
            &[][..],
            &["http://news.example:8080"],
            &["https://News.example:8080"],
            &["https://app.example"],
        ] {
            assert!(may(origins), "{origins:?}");
        }
    }

    #[test]
    fn every_other_may_not() {
        for origins in [
            &["https://eve.example"][..],
            &["http://news.example"],
            &["http://app.example"],
            &["null"],
            &[""],
            &["news.example:8080"],
            &["http://news.example:8080.eve.example"],
            &["http://news.example:8080", "https://eve.example"],
        ] {
            assert!(!may(origins), "{origins:?}");
        }
    }
}
