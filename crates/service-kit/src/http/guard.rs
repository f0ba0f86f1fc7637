//! Keeps requests away that different servers on the way could read differently.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, StatusCode, Version, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{host::is_host, problem::Problem};

/// Answers 400 to a request without exactly one `Host` that is a host (RFC 9112, 3.2), and closes the connection
/// after a chunked one.
///
/// hyper reads a request with both `Content-Length` and `Transfer-Encoding` by the latter and hides the
/// former, so the two cannot be told apart here; closing is what RFC 9112, 6.1 demands then, and what keeps
/// a smuggled second request from being read.
pub(super) async fn guard(request: Request, next: Next) -> Response {
    let authority = request.uri().authority().map(Authority::as_str);
    if !has_one_host(request.version(), request.headers()) || !authority.is_none_or(is_host) {
        let detail = "a request must have exactly one Host header, with a host and perhaps a port";
        return Problem::new(StatusCode::BAD_REQUEST, "malformed-request", detail).into_response();
    }
    let chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
    let mut response = next.run(request).await;
    if chunked {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn has_one_host(version: Version, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().is_ok_and(is_host),
        (None, None) => version < Version::HTTP_11,
        _ => false,
    }
}
