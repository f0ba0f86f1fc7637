use axum::{
    extract::State,
    http::{Uri, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use contracts::article::GetHistory;
use eventsourcing::AggregateId;
use serde::Deserialize;
use service_kit::Problem;

use crate::{
    Gateway, link, reply,
    request::{Id, Parameters, QueryRequest, number},
};

/// The query string. Numbers stay text here, so that a wrong one is named.
#[derive(Debug, Deserialize)]
pub(crate) struct HistoryParameters {
    limit: Option<String>,
    cursor: Option<String>,
}

/// `GET /api/articles/{id}/history?limit=&cursor=`: 200 with a page of what happened to it, oldest first.
pub(crate) async fn history(
    State(gateway): State<Gateway>,
    request: QueryRequest,
    uri: Uri,
    Id(id): Id<AggregateId>,
    Parameters(parameters): Parameters<HistoryParameters>,
) -> Result<Response, Problem> {
    let limit = number("limit", parameters.limit, "must be a whole number from 1 to 100")?;
    let after = number("cursor", parameters.cursor, "must be the next of another page")?;
    let query = request.query(GetHistory { id, after, limit });
    let answer = reply::told(gateway.queries.ask(&query).await)?;
    let next = answer.data.next.map(|next| (header::LINK, link::next(&uri, &next.to_string())));
    let position = reply::position(&answer);
    Ok((position, AppendHeaders(next), axum::Json(answer.data)).into_response())
}
