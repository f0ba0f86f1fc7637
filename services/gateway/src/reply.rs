//! What comes back over NATS as an HTTP response. The one place where refusals and errors get a status.

use std::{borrow::Cow, fmt::Display};

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::AppendHeaders;
use eventsourcing::{
    Accepted, Answer, FieldError, QueryReply, Refusal, RefusalKind, Reply, StoreError,
    StreamIdentity,
};
use messaging::{EnqueueError, RequestError, ServiceError, Throttle};
use service_kit::Problem;

use crate::request::{POSITION, STREAM};

/// Held back: what goes on while something is away.
static FAILED: Throttle = Throttle::new();
/// Says that the response is the outcome of an earlier request with the same `Idempotency-Key`.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The acceptance of a command, or the problem with it.
pub(crate) fn accepted<T>(reply: Result<Reply<T>, RequestError>) -> Result<Accepted<T>, Problem> {
    match reply {
        Ok(Reply::Accepted(accepted)) => Ok(accepted),
        Ok(Reply::Refused(refusal)) => Err(refused(refusal)),
        Err(error) => Err(failed(&error)),
    }
}

/// The read model's answer to a query, or the problem with it.
pub(crate) fn answered<T>(
    reply: Result<QueryReply<T>, RequestError>,
) -> Result<Answer<T>, Problem> {
    answered_from("the read model", reply)
}

/// The answer to a query about the past, or the problem with it.
pub(crate) fn told<T>(reply: Result<QueryReply<T>, RequestError>) -> Result<Answer<T>, Problem> {
    answered_from("the event store", reply)
}

fn answered_from<T>(
    what: &str,
    reply: Result<QueryReply<T>, RequestError>,
) -> Result<Answer<T>, Problem> {
    match reply {
        Ok(QueryReply::Answered(answer)) => Ok(answer),
        Ok(QueryReply::Refused(refusal)) => Err(refused(refusal)),
        Err(error) => Err(not_read(what, &error)),
    }
}

/// The headers of every accepted write.
pub(crate) fn written<T>(accepted: &Accepted<T>) -> AppendHeaders<Vec<(HeaderName, HeaderValue)>> {
    let mut headers = of_stream(accepted.position, accepted.stream);
    if let Ok(etag) = HeaderValue::try_from(etag(accepted.version)) {
        headers.push((header::ETAG, etag));
    }
    if accepted.repeated {
        headers.push((REPLAYED, HeaderValue::from_static("true")));
    }
    AppendHeaders(headers)
}

/// The headers of every read.
pub(crate) fn position<T>(answer: &Answer<T>) -> AppendHeaders<Vec<(HeaderName, HeaderValue)>> {
    AppendHeaders(of_stream(answer.position, answer.stream))
}

/// A position, and the stream that it is one of.
fn of_stream(position: u64, stream: Option<StreamIdentity>) -> Vec<(HeaderName, HeaderValue)> {
    let stream = stream.and_then(|stream| HeaderValue::try_from(stream.to_string()).ok());
    let position = (POSITION, HeaderValue::from(position));
    [position].into_iter().chain(stream.map(|stream| (STREAM, stream))).collect()
}

/// The version of an aggregate as an `ETag`.
pub(crate) fn etag(version: u64) -> String {
    format!("\"{version}\"")
}

/// 400: `errors` says what is wrong with which field.
pub(crate) fn invalid(errors: Vec<FieldError>) -> Problem {
    refused(Refusal::invalid(errors))
}

/// 400: `field` is wrong.
pub(crate) fn invalid_field(
    field: impl Into<Cow<'static, str>>,
    detail: &(impl Display + ?Sized),
) -> Problem {
    invalid(vec![FieldError::new(field, detail.to_string())])
}

/// 400: the request cannot be read at all.
pub(crate) fn malformed(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "malformed-request", detail)
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

/// 503 when the command is not in the queue, 504 when nobody knows.
pub(crate) fn not_enqueued(error: EnqueueError) -> Problem {
    match error {
        EnqueueError::Refused(refusal) => refused(refusal),
        EnqueueError::Unknown(error) => {
            if let Some(held_back) = FAILED.pass() {
                tracing::warn!(error = ?error, held_back, "putting a command into the queue had no answer");
            }
            outcome_unknown("the queue did not answer")
        }
        EnqueueError::Unavailable(error) => unreachable(&error),
    }
}

/// 503: the queue cannot be reached.
pub(crate) fn unreachable(error: &StoreError) -> Problem {
    if let Some(held_back) = FAILED.pass() {
        tracing::warn!(error = ?error, held_back, "the command queue cannot be reached");
    }
    let detail = "the command queue cannot be reached; nothing was changed";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail).retry_after(1)
}

/// 504: it happened or not.
pub(crate) fn outcome_unknown(what: &str) -> Problem {
    let detail = format!("{what}; a repeat with the same Idempotency-Key tells what happened");
    Problem::new(StatusCode::GATEWAY_TIMEOUT, "outcome-unknown", detail).retry_after(1)
}

fn unavailable(code: &'static str, detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).retry_after(1)
}

fn timeout(code: &'static str, detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::GATEWAY_TIMEOUT, code, detail).retry_after(1)
}

/// A read that was to come from `what`. It has no outcome to speak of.
fn not_read(what: &str, error: &RequestError) -> Problem {
    if let Some(held_back) = FAILED.pass() {
        tracing::warn!(%error, held_back, "request over NATS failed");
    }
    let late = || format!("{what} did not answer in time");
    match error {
        RequestError::NoService { .. } => {
            unavailable("service-unavailable", "the service for this is not running")
        }
        RequestError::TimedOut { .. } => timeout("timeout", late()),
        RequestError::Service { error, .. } => match error {
            ServiceError::Unavailable => {
                unavailable("unavailable", format!("{what} is not available"))
            }
            ServiceError::DeadlineExceeded => timeout("deadline-exceeded", late()),
            error => service_failed(*error),
        },
        RequestError::Malformed { .. } => Problem::internal(),
    }
}

/// A write.
fn failed(error: &RequestError) -> Problem {
    if let Some(held_back) = FAILED.pass() {
        tracing::warn!(%error, held_back, "request over NATS failed");
    }
    match error {
        RequestError::NoService { .. } => unavailable(
            "service-unavailable",
            "the service for this is not running; nothing was changed",
        ),
        RequestError::TimedOut { .. } => outcome_unknown("no answer in time"),
        RequestError::Service { error, .. } => service_failed(*error),
        RequestError::Malformed { .. } => Problem::internal(),
    }
}

fn service_failed(error: ServiceError) -> Problem {
    match error {
        ServiceError::Unavailable => {
            unavailable("unavailable", "the event store takes no writes now; nothing was changed")
        }
        ServiceError::ProjectionBehind => unavailable(
            "projection-behind",
            "the read model has not reached the position that was asked for",
        ),
        ServiceError::AnotherStream => unavailable(
            "read-model-of-another-stream",
            "the read model was made from another stream of events: it answers once it is rebuilt",
        ),
        ServiceError::Contended => {
            unavailable("contended", "others keep changing this; nothing was changed")
        }
        ServiceError::InFlight => Problem::new(
            StatusCode::CONFLICT,
            "request-in-flight",
            "a request with the same Idempotency-Key is being worked on",
        )
        .retry_after(1),
        ServiceError::DeadlineExceeded => {
            unavailable("deadline-exceeded", "the request came too late; nothing was changed")
        }
        ServiceError::OutcomeUnknown => outcome_unknown("the store did not answer"),
        ServiceError::Internal => Problem::internal(),
    }
}
