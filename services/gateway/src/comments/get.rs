use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use contracts::comment::GetComment;
use eventsourcing::AggregateId;
use service_kit::Problem;

use super::find::Number;
use crate::{
    Gateway, reply,
    request::{Id, NoParameters, Read},
};

/// `GET /api/articles/{id}/comments/{number}`: 200 with the comment.
pub(crate) async fn get(
    State(gateway): State<Gateway>,
    Read(request, NoParameters {}): Read<NoParameters>,
    Id(article_id): Id<AggregateId>,
    Number(number): Number,
) -> Result<Response, Problem> {
    let query = request.query(GetComment { article_id, number });
    let answer = reply::answered(gateway.queries.ask(&query).await)?;
    let etag = [(header::ETAG, reply::etag(answer.data.state.version))];
    Ok((etag, reply::position(&answer), axum::Json(answer.data)).into_response())
}
