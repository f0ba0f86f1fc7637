use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
};
use service_kit::Problem;

use super::{not_found, number::Number};
use crate::{
    Gateway, reply,
    request::{self, NoParameters, Operator, Parameters},
};

/// `DELETE /api/admin/dead-letters/{number}`: 204, and it is gone for good.
pub(crate) async fn delete(
    State(gateway): State<Gateway>,
    _: Operator,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    headers: HeaderMap,
    Number(number): Number,
) -> Result<StatusCode, Problem> {
    if let Err(problem) = request::must_hold(&headers) {
        // What is not there is 404, whatever was to hold.
        let letter = reply::letters(gateway.dead_letters.get(number).await)?;
        return Err(letter.map_or_else(|| not_found(number), |_| problem));
    }
    if reply::letters(gateway.dead_letters.remove(number).await)? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(not_found(number))
    }
}
