//! The opening handshake (RFC 6455, 4.2).

use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version, header,
        request::Parts,
    },
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use service_kit::{Problem, http::query_string, json::JsonError};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");
const UPGRADE: HeaderValue = HeaderValue::from_static("upgrade");
/// The one version that there is.
const VERSION: HeaderValue = HeaderValue::from_static("13");
/// What a key decodes to, in bytes.
const KEY: usize = 16;

/// The value of `Sec-WebSocket-Accept` for a request that is a client's handshake (4.2.1).
pub(super) fn check(parts: &Parts) -> Result<HeaderValue, Problem> {
    if parts.method != Method::GET {
        let detail = "the path has the method GET only";
        return Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail)
            .with_header(header::ALLOW, HeaderValue::from_static("GET")));
    }
    let headers = &parts.headers;
    if parts.version < Version::HTTP_11
        || !has_token(headers, &header::CONNECTION, "upgrade")
        || !has_token(headers, &header::UPGRADE, "websocket")
    {
        return Err(upgrade_required("a WebSocket handshake was expected (RFC 6455, 4.1)"));
    }
    if only(headers, &header::SEC_WEBSOCKET_VERSION) != Some(&VERSION) {
        let problem = upgrade_required("Sec-WebSocket-Version: 13 was expected");
        return Err(problem.with_header(header::SEC_WEBSOCKET_VERSION, VERSION));
    }
    let key = only(headers, &header::SEC_WEBSOCKET_KEY).filter(|key| is_key(key.as_bytes()));
    let accept = key.and_then(|key| derive_accept_key(key.as_bytes()).try_into().ok());
    accept.ok_or_else(|| {
        let detail = "one Sec-WebSocket-Key of 16 bytes in base64 was expected";
        Problem::new(StatusCode::BAD_REQUEST, "websocket-expected", detail)
    })
}

/// Refuses a query string: whoever sends one takes something for said that nobody hears, such as a token.
pub(super) fn no_parameters(uri: &Uri) -> Result<(), Problem> {
    let name = match query_string::members(uri.query().unwrap_or_default()) {
        Ok(members) => members.into_iter().next().map(|(name, _)| name),
        Err(JsonError::Member { path, .. }) => Some(path),
        Err(JsonError::Malformed(detail)) => Some(detail),
    };
    let Some(name) = name else { return Ok(()) };
    let detail =
        "is no parameter of a socket; a token is sent in the header Authorization or in a frame";
    let problem = format!("invalid input in: {name}");
    Err(Problem::new(StatusCode::BAD_REQUEST, "invalid-input", problem)
        .with("errors", serde_json::json!([{ "field": name, "detail": detail }])))
}

/// The answer to a handshake (4.2.2); the connection is a WebSocket from then on.
pub(super) fn accepted(accept: HeaderValue) -> Response {
    let headers = [
        (header::CONNECTION, UPGRADE),
        (header::UPGRADE, WEBSOCKET),
        (header::SEC_WEBSOCKET_ACCEPT, accept),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, headers, Body::empty()).into_response()
}

/// RFC 9110, 15.5.22: says to what.
fn upgrade_required(detail: &str) -> Problem {
    Problem::new(StatusCode::UPGRADE_REQUIRED, "websocket-expected", detail)
        .with_header(header::UPGRADE, WEBSOCKET)
        .with_header(header::CONNECTION, UPGRADE)
}

/// Whether a list in one or several lines has the token, whatever its case.
fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|item| item.trim().eq_ignore_ascii_case(token))
}

fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

fn is_key(key: &[u8]) -> bool {
    STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == KEY)
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    /// The example of RFC 6455, 1.3.
    const SAMPLE: [(&str, &str); 4] = [
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "WebSocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];

    fn status(method: &str, changed: &[(&str, &str)]) -> Result<HeaderValue, u16> {
        let mut request = Request::builder().method(method);
        for (name, value) in SAMPLE {
            let given = changed.iter().find(|(changed, _)| *changed == name);
            let value = given.map_or(value, |(_, value)| *value);
            for value in value.split('|').filter(|value| !value.is_empty()) {
                request = request.header(name, value);
            }
        }
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        check(&parts).map_err(|problem| problem.status().as_u16())
    }

    #[test]
    fn the_sample_of_the_standard_is_accepted() {
        let accept = HeaderValue::from_static("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(status("GET", &[]), Ok(accept));
    }

    #[test]
    fn anything_else_is_refused() {
        for (name, value, expected) in [
            ("connection", "", 426),
            ("upgrade", "h2c", 426),
            ("sec-websocket-version", "", 426),
            ("sec-websocket-version", "8", 426),
            ("sec-websocket-version", "13|13", 426),
            ("sec-websocket-key", "", 400),
            ("sec-websocket-key", "short", 400),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25j", 400),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==|dGhlIHNhbXBsZSBub25jZQ==", 400),
        ] {
            assert_eq!(status("GET", &[(name, value)]), Err(expected), "{name}: {value}");
        }
        assert_eq!(status("HEAD", &[]), Err(405));
    }
}
