use axum::{extract::State, http::StatusCode};
use service_kit::Problem;

use super::{not_found, number::Number, unreachable};
use crate::{Gateway, request::Operator};

/// `DELETE /api/admin/dead-letters/{number}`: 204, and it is gone for good.
pub(crate) async fn delete(
    State(gateway): State<Gateway>,
    _: Operator,
    Number(number): Number,
) -> Result<StatusCode, Problem> {
    let removed = gateway.dead_letters.remove(number).await;
    if removed.map_err(|error| unreachable(&error))? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(not_found(number))
    }
}
