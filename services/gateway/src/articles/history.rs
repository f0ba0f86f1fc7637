use axum::{
    extract::State,
    http::{Uri, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use contracts::article::{GetHistory, HistoryEntry};
use eventsourcing::AggregateId;
use serde::{Deserialize, Serialize};
use service_kit::Problem;

use crate::{
    Gateway, cursor, link, reply,
    request::{Id, Read, number},
};

/// The query string. Numbers stay text here, so that a wrong one is named.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HistoryParameters {
    limit: Option<String>,
    cursor: Option<String>,
}

/// A page of an article's history. Between services its `next` is a number.
#[derive(Debug, Serialize)]
struct Page {
    items: Vec<HistoryEntry>,
    #[serde(serialize_with = "cursor::serialize")]
    next: Option<u64>,
}

/// `GET /api/articles/{id}/history?limit=&cursor=`: 200 with a page of what happened to it, oldest first.
pub(crate) async fn history(
    State(gateway): State<Gateway>,
    Read(request, parameters): Read<HistoryParameters>,
    uri: Uri,
    Id(id): Id<AggregateId>,
) -> Result<Response, Problem> {
    let limit = number("limit", parameters.limit, "must be a whole number from 1 to 100")?;
    let after = number("cursor", parameters.cursor, "must be the next of another page")?;
    let query = request.query(GetHistory { id, after, limit });
    let answer = reply::told(gateway.queries.ask(&query).await)?;
    let position = reply::position(&answer);
    let page = Page { items: answer.data.items, next: answer.data.next };
    let link = page.next.map(|next| (header::LINK, link::next(&uri, &next.to_string())));
    Ok((position, AppendHeaders(link), axum::Json(page)).into_response())
}
