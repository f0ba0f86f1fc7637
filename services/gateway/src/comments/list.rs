use axum::{
    extract::State,
    http::{Uri, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use contracts::comment::ListComments;
use eventsourcing::AggregateId;
use serde::Deserialize;
use service_kit::Problem;

use crate::{
    Gateway, link, reply,
    request::{Id, Read, number},
};

/// The query string. Numbers stay text here, so that a wrong one is named.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListParameters {
    limit: Option<String>,
    cursor: Option<String>,
}

/// `GET /api/articles/{id}/comments?limit=&cursor=`: 200 with a page, oldest first.
pub(crate) async fn list(
    State(gateway): State<Gateway>,
    Read(request, parameters): Read<ListParameters>,
    uri: Uri,
    Id(article_id): Id<AggregateId>,
) -> Result<Response, Problem> {
    let limit = number("limit", parameters.limit, "must be a whole number from 1 to 100")?;
    let query = request.query(ListComments { article_id, limit, cursor: parameters.cursor });
    let answer = reply::answered(gateway.queries.ask(&query).await)?;
    let next = answer.data.next.as_deref();
    let link = next.map(|cursor| (header::LINK, link::next(&uri, cursor)));
    let position = reply::position(&answer);
    Ok((position, AppendHeaders(link), axum::Json(answer.data)).into_response())
}
