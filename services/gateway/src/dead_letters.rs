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
use service_kit::Problem;

/// 404: it may have been redriven or dropped meanwhile.
fn not_found(number: u64) -> Problem {
    let detail = format!("there is no dead letter {number}");
    Problem::new(StatusCode::NOT_FOUND, "dead-letter-not-found", detail)
}
