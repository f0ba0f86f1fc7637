use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use contracts::article::GetArticle;
use eventsourcing::AggregateId;
use service_kit::Problem;

use crate::{
    Gateway, reply,
    request::{Id, IfNoneMatch, QueryRequest},
};

/// `GET /api/articles/{id}`: 200 with the article, or 304 when the client has this version.
pub(crate) async fn get(
    State(gateway): State<Gateway>,
    request: QueryRequest,
    if_none_match: IfNoneMatch,
    Id(id): Id<AggregateId>,
) -> Result<Response, Problem> {
    let answer = reply::answered(gateway.queries.ask(&request.query(GetArticle { id })).await)?;
    let etag = reply::etag(answer.data.version);
    let unchanged = if_none_match.covers(&etag);
    let headers = ([(header::ETAG, etag)], reply::position(answer.position));
    if unchanged {
        return Ok((StatusCode::NOT_MODIFIED, headers.0, headers.1).into_response());
    }
    Ok((headers.0, headers.1, axum::Json(answer.data)).into_response())
}
