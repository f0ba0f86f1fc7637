use axum::extract::State;
use service_kit::Problem;

use super::{not_found, number::Number, view::Whole};
use crate::{
    Gateway, reply,
    request::{NoParameters, Operator, Parameters},
};

/// `GET /api/admin/dead-letters/{number}`: 200 with headers and body.
pub(crate) async fn get(
    State(gateway): State<Gateway>,
    _: Operator,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    Number(number): Number,
) -> Result<axum::Json<impl serde::Serialize>, Problem> {
    let letter = reply::letters(gateway.dead_letters.get(number).await)?;
    let letter = letter.ok_or_else(|| not_found(number))?;
    Ok(axum::Json(Whole::from(&letter)))
}
