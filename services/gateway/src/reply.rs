//! What comes back over NATS as an HTTP response. The one place where refusals get a status.

mod failure;
mod refusal;

use std::{borrow::Cow, fmt::Display};

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::AppendHeaders;
use eventsourcing::{Accepted, Answer, FieldError, QueryReply, Refusal, Reply, StreamIdentity};
use messaging::RequestError;
use service_kit::Problem;

use self::failure::{READ_MODEL, Source};
pub(crate) use self::failure::{enqueued, letters, operations};
pub(crate) use self::refusal::{etag, refused};
use crate::request::{POSITION, STREAM};

/// Says that the response is the outcome of an earlier request with the same `Idempotency-Key`.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The acceptance of a command of `context`, or the problem with it.
pub(crate) fn accepted<T>(
    context: &'static str,
    reply: Result<Reply<T>, RequestError>,
) -> Result<Accepted<T>, Problem> {
    let source = failure::owner(context);
    match failure::note(&source, reply).map_err(|error| failure::not_written(&source, &error))? {
        Reply::Accepted(accepted) => Ok(accepted),
        Reply::Refused(refusal) => Err(refused(refusal)),
    }
}

/// The read model's answer to a query, or the problem with it.
pub(crate) fn answered<T>(
    reply: Result<QueryReply<T>, RequestError>,
) -> Result<Answer<T>, Problem> {
    answered_from(&READ_MODEL, reply)
}

/// The answer to a query about the past of an aggregate of `context`, or the problem with it.
pub(crate) fn told<T>(
    context: &'static str,
    reply: Result<QueryReply<T>, RequestError>,
) -> Result<Answer<T>, Problem> {
    answered_from(&failure::history(context), reply)
}

fn answered_from<T>(
    source: &Source,
    reply: Result<QueryReply<T>, RequestError>,
) -> Result<Answer<T>, Problem> {
    match failure::note(source, reply).map_err(|error| failure::not_read(source, &error))? {
        QueryReply::Answered(answer) => Ok(answer),
        QueryReply::Refused(refusal) => Err(refused(refusal)),
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
