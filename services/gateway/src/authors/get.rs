use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use contracts::article::GetAuthor;
use eventsourcing::UserId;
use service_kit::Problem;

use crate::{
    Gateway, reply,
    request::{Id, NoParameters, Read},
};

/// `GET /api/authors/{id}`: 200 with the author's counts and last activity.
pub(crate) async fn get(
    State(gateway): State<Gateway>,
    Read(request, NoParameters {}): Read<NoParameters>,
    Id(id): Id<UserId>,
) -> Result<Response, Problem> {
    let query = request.query(GetAuthor { id });
    let answer = reply::answered(gateway.queries.ask(&query).await)?;
    Ok((reply::position(&answer), axum::Json(answer.data)).into_response())
}
