//! Measurements of HTTP, with labels from closed sets only: whatever a client can choose is not among them.

use std::time::Duration;

use axum::{
    extract::{MatchedPath, Request},
    http::{Method, StatusCode},
    middleware::Next,
    response::Response,
};
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, histogram};

const REQUESTS: &str = "http_requests_total";
const SECONDS: &str = "http_request_seconds";
/// Stands for every path without a route.
const UNMATCHED: &str = "unmatched";

/// An extension of a response that was counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured;

/// Says what is measured; once a process.
pub(crate) fn describe() {
    describe_counter!(REQUESTS, Unit::Count, "Requests that were answered");
    describe_histogram!(SECONDS, Unit::Seconds, "How long answering a request took");
    describe_gauge!("http_connections", Unit::Count, "Connections of HTTP that are open");
    describe_counter!(
        "http_connections_closed_total",
        Unit::Count,
        "Connections that were ended because of their client, by the reason"
    );
}

/// The name of `method`; one for all methods that are not HTTP's own (RFC 9110, 9.3, and RFC 5789).
pub(super) fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => "other",
    }
}

/// Leaves the route, not the path, with the response: a scanner must not create a series a path.
pub(super) async fn name_route(path: MatchedPath, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.extensions_mut().insert(path);
    response
}

/// Counts `response`, which took so long.
pub(super) fn answered(response: &mut Response, method: &'static str, took: Duration) {
    let status = response.status();
    match response.extensions().get::<MatchedPath>() {
        Some(path) => {
            let path = path.as_str().to_owned();
            let code = status.as_str().to_owned();
            counter!(REQUESTS, "path" => path.clone(), "method" => method, "status" => code)
                .increment(1);
            if status != StatusCode::SWITCHING_PROTOCOLS {
                histogram!(SECONDS, "path" => path, "method" => method).record(took.as_secs_f64());
            }
        }
        None => unmatched(method, status),
    }
    response.extensions_mut().insert(Measured);
}

/// Counts an answer that no route gave.
pub(super) fn unmatched(method: &'static str, status: StatusCode) {
    let status = status.as_str().to_owned();
    counter!(REQUESTS, "path" => UNMATCHED, "method" => method, "status" => status).increment(1);
}

/// Counts a connection that was ended because of its client.
pub(super) fn closed(reason: &'static str) {
    counter!("http_connections_closed_total", "reason" => reason).increment(1);
}

/// So many connections are open at the public address.
pub(super) fn open(connections: usize) {
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    metrics::gauge!("http_connections").set(connections as f64);
}
