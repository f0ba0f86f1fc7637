//! `/api/operations`: what became of the commands that were accepted for later.

pub(crate) mod get;
mod view;

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{AppendHeaders, IntoResponse},
};
use messaging::Operation;

use crate::request::PREFERENCE_APPLIED;

/// When it is worth asking again, in seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// 202: where to ask for the outcome of `operation`; `applied` is the preference that was followed.
pub(crate) fn accepted(operation: &Operation, applied: HeaderValue) -> impl IntoResponse + use<> {
    let mut headers: Vec<(HeaderName, HeaderValue)> =
        vec![(header::RETRY_AFTER, RETRY_AFTER), (PREFERENCE_APPLIED, applied)];
    if let Ok(location) = HeaderValue::try_from(format!("/api/operations/{}", operation.id)) {
        headers.push((header::LOCATION, location));
    }
    (StatusCode::ACCEPTED, AppendHeaders(headers), axum::Json(view::view(operation)))
}
