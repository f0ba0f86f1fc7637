//! Preconditions (RFC 9110, 13): an `ETag` is the version of the aggregate, in quotes.

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, StatusCode, header, request::Parts},
};
use service_kit::Problem;

use crate::reply;

/// The version that `If-Match` names; `None` for `*`.
pub(super) fn expected_version(if_match: &str) -> Result<Option<u64>, Problem> {
    if if_match == "*" {
        return Ok(None);
    }
    // A weak tag never matches here (RFC 9110, 13.1.1), and one tag is all that can be expected.
    let tag = if_match.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
    match tag.map(str::parse) {
        Some(Ok(version)) => Ok(Some(version)),
        // Somebody else's tag, or none: it matches no version of ours.
        _ if if_match.contains('"') => {
            let detail = "If-Match names no version of this article";
            Err(Problem::new(StatusCode::PRECONDITION_FAILED, "version-mismatch", detail))
        }
        _ => Err(reply::invalid_field("If-Match", "must be an ETag in quotes, or *")),
    }
}

/// The versions that the client has.
#[derive(Debug)]
pub(crate) struct IfNoneMatch(Option<HeaderValue>);

impl IfNoneMatch {
    /// Whether the client has `etag` already.
    pub(crate) fn covers(&self, etag: &str) -> bool {
        let Some(Ok(value)) = self.0.as_ref().map(HeaderValue::to_str) else { return false };
        value
            .split(',')
            .map(str::trim)
            .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
    }
}

impl<S: Sync> FromRequestParts<S> for IfNoneMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.headers.get(header::IF_NONE_MATCH).cloned()))
    }
}
