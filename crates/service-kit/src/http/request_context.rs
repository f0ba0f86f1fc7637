//! What ties a request to everything that happens because of it: correlation id and trace context.

use axum::http::{HeaderMap, HeaderName};
use rand::Rng as _;

/// Request and response header with the correlation id.
pub const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
/// Request and response header with the trace context (<https://www.w3.org/TR/trace-context/>).
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The longest correlation id that is taken over.
const MAX_CORRELATION_ID: usize = 128;

/// The identity of a request; an extension of every request that a [`Site`](crate::Site) serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestContext {
    /// The client's, when it sent a usable one; else new.
    pub correlation_id: String,
    /// The client's trace, or a new one, with a span of our own.
    pub traceparent: String,
}

impl RequestContext {
    /// Takes over what the client sent, as far as it is usable.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let correlation_id = text(&CORRELATION_ID)
            .filter(|id| (1..=MAX_CORRELATION_ID).contains(&id.len()))
            .filter(|id| id.bytes().all(|byte| byte.is_ascii_graphic()))
            .map_or_else(|| uuid::Uuid::now_v7().to_string(), str::to_owned);
        let traceparent = child_of(text(&TRACEPARENT));
        Self { correlation_id, traceparent }
    }
}

/// A new span in the trace of `parent`, or in a new trace when there is no valid one.
fn child_of(parent: Option<&str>) -> String {
    let mut random = rand::rng();
    let span: u64 = random.random_range(1..=u64::MAX);
    match parent.and_then(parse) {
        Some((trace, flags)) => format!("00-{trace}-{span:016x}-{flags}"),
        None => format!("00-{:032x}-{span:016x}-01", random.random_range(1..=u128::MAX)),
    }
}

/// The trace id and flags of a version 00 header.
fn parse(header: &str) -> Option<(&str, &str)> {
    let hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let mut parts = header.split('-');
    let (version, trace, span, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let valid = version == "00" && hex(trace, 32) && hex(span, 16) && hex(flags, 2);
    let zero = trace.bytes().all(|byte| byte == b'0') || span.bytes().all(|byte| byte == b'0');
    (valid && !zero && parts.next().is_none()).then_some((trace, flags))
}
