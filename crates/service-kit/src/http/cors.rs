//! Which pages of other origins may use the API (the CORS protocol of the Fetch standard, 3.3).

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, header, request::Parts},
    middleware::Next,
    response::Response,
};
use tower::{Layer as _, ServiceExt as _};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::{
    origins::Origins,
    request_context::{CORRELATION_ID, TRACEPARENT},
};

/// How long a browser may remember what is allowed.
const MAX_AGE: Duration = Duration::from_hours(1);
/// What a page may send beside what every page may.
const REQUEST_HEADERS: [HeaderName; 10] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    CORRELATION_ID,
    TRACEPARENT,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("newswire-position"),
    HeaderName::from_static("newswire-stream"),
    HeaderName::from_static("prefer"),
];
/// What a page may read beside what every page may.
const RESPONSE_HEADERS: [HeaderName; 10] = [
    header::ETAG,
    header::LINK,
    header::LOCATION,
    header::RETRY_AFTER,
    CORRELATION_ID,
    TRACEPARENT,
    HeaderName::from_static("idempotency-replayed"),
    HeaderName::from_static("newswire-position"),
    HeaderName::from_static("newswire-stream"),
    HeaderName::from_static("preference-applied"),
];

/// What is told to pages of `origins`; nothing when there are none. Without credentials: a token is sent by the page itself, never by its browser.
pub(super) fn layer(origins: Origins) -> Option<Arc<CorsLayer>> {
    if origins.is_empty() {
        return None;
    }
    let is_allowed = move |origin: &HeaderValue, _: &Parts| {
        origin.to_str().is_ok_and(|origin| origins.allows(origin))
    };
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(is_allowed))
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers(REQUEST_HEADERS)
        .expose_headers(RESPONSE_HEADERS)
        .max_age(MAX_AGE)
        // Also what is said to nobody's page differs by the origin that asks: a cache must know.
        .vary([header::ORIGIN]);
    Some(Arc::new(layer))
}

/// Answers preflights, and tells browsers which pages may read the answer to everything else.
pub(super) async fn share(
    State(layer): State<Option<Arc<CorsLayer>>>,
    request: Request,
    next: Next,
) -> Response {
    // The layer takes every OPTIONS for a preflight.
    let asks = request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let is_ours = request.method() != Method::OPTIONS || asks;
    let Some(layer) = layer.filter(|_| is_ours) else { return next.run(request).await };
    let answer: Result<Response, Infallible> = layer.layer(next).oneshot(request).await;
    let Ok(response) = answer;
    response
}
