use axum::{extract::State, http::Uri, response::Response};
use contracts::comment::{CONTEXT, GetCommentHistory};
use eventsourcing::AggregateId;
use service_kit::Problem;

use super::find::{Number, find};
use crate::{
    Gateway,
    history::{HistoryParameters, page},
    reply,
    request::{Id, Read},
};

/// `GET /api/articles/{id}/comments/{number}/history?limit=&cursor=`: 200 with a page of what happened to it, oldest first.
pub(crate) async fn history(
    State(gateway): State<Gateway>,
    Read(request, parameters): Read<HistoryParameters>,
    uri: Uri,
    Id(article_id): Id<AggregateId>,
    Number(number): Number,
) -> Result<Response, Problem> {
    let (after, limit) = parameters.read()?;
    let asked = |query| request.clone().query(query);
    let comment = find(&gateway, (article_id, number), asked).await?;
    let query = request.query(GetCommentHistory { id: comment.id, after, limit });
    let answer = reply::told(CONTEXT, gateway.queries.ask(&query).await)?;
    Ok(page(&uri, answer))
}
