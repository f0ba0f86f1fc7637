//! `/api/admin/dead-letters`: what consumers gave up on, for operators. One endpoint a file.

mod choice;
pub(crate) mod delete;
pub(crate) mod discard;
pub(crate) mod get;
pub(crate) mod list;
mod number;
mod order;
pub(crate) mod redrive;
mod view;

use axum::http::StatusCode;
use messaging::consumer::DeadLetterError;
use service_kit::Problem;

/// 503: the dead letters cannot be reached.
fn unreachable(error: &DeadLetterError) -> Problem {
    tracing::warn!(error = ?error, "the dead letters cannot be reached");
    let detail = "the dead letters cannot be reached; what was done until then stays, and a repeat does the rest";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail).retry_after(1)
}

/// 404: it may have been redriven or dropped meanwhile.
fn not_found(number: u64) -> Problem {
    let detail = format!("there is no dead letter {number}");
    Problem::new(StatusCode::NOT_FOUND, "dead-letter-not-found", detail)
}
