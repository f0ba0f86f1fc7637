//! A refusal as a problem. The one place where refusals get a status.

use axum::http::{HeaderValue, StatusCode, header};
use eventsourcing::{Refusal, RefusalKind};
use service_kit::Problem;

use crate::request::{POSITION, STREAM};

/// The version of an aggregate as an `ETag`.
pub(crate) fn etag(version: u64) -> String {
    format!("\"{version}\"")
}

pub(crate) fn refused(refusal: Refusal) -> Problem {
    let status = match refusal.kind {
        RefusalKind::Invalid => StatusCode::BAD_REQUEST,
        RefusalKind::Forbidden => StatusCode::FORBIDDEN,
        RefusalKind::NotFound => StatusCode::NOT_FOUND,
        RefusalKind::Gone => StatusCode::GONE,
        RefusalKind::Conflict => StatusCode::CONFLICT,
        RefusalKind::VersionMismatch => StatusCode::PRECONDITION_FAILED,
        RefusalKind::Reused => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let mut problem = Problem::new(status, refusal.code, refusal.detail);
    if !refusal.errors.is_empty() {
        let errors = refusal.errors.into_iter();
        let errors =
            errors.map(|error| serde_json::json!({ "field": error.field, "detail": error.detail }));
        problem = problem.with("errors", errors.collect::<Vec<_>>());
    }
    if let Some(position) = refusal.position {
        problem = problem.with_header(POSITION, position);
    }
    let stream = refusal.stream.and_then(|stream| HeaderValue::try_from(stream.to_string()).ok());
    if let Some(stream) = stream {
        problem = problem.with_header(STREAM, stream);
    }
    if let Some(version) = refusal.current_version {
        problem = problem.with("current_version", version);
        if let Ok(etag) = HeaderValue::try_from(etag(version)) {
            problem = problem.with_header(header::ETAG, etag);
        }
    }
    problem
}
