use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use contracts::article::GetActivity;
use serde::Deserialize;
use service_kit::Problem;

use crate::{Gateway, reply, request::Read};

/// The query string.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ActivityParameters {
    from: Option<String>,
    to: Option<String>,
}

/// `GET /api/activity?from=&to=`: 200 with what happened, day by day.
pub(crate) async fn activity(
    State(gateway): State<Gateway>,
    Read(request, parameters): Read<ActivityParameters>,
) -> Result<Response, Problem> {
    let query = request.query(GetActivity { from: parameters.from, to: parameters.to });
    let answer = reply::answered(gateway.queries.ask(&query).await)?;
    Ok((reply::position(&answer), axum::Json(answer.data)).into_response())
}
