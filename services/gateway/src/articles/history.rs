use axum::{extract::State, http::Uri, response::Response};
use contracts::article::{CONTEXT, GetHistory};
use eventsourcing::AggregateId;
use service_kit::Problem;

use crate::{
    Gateway,
    history::{HistoryParameters, page},
    reply,
    request::{Id, Read},
};

/// `GET /api/articles/{id}/history?limit=&cursor=`: 200 with a page of what happened to it, oldest first.
pub(crate) async fn history(
    State(gateway): State<Gateway>,
    Read(request, parameters): Read<HistoryParameters>,
    uri: Uri,
    Id(id): Id<AggregateId>,
) -> Result<Response, Problem> {
    let (after, limit) = parameters.read()?;
    let query = request.query(GetHistory { id, after, limit });
    let answer = reply::told(CONTEXT, gateway.queries.ask(&query).await)?;
    Ok(page(&uri, answer))
}
