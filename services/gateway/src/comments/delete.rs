use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use contracts::comment::{CommentState, DeleteComment};
use eventsourcing::{Accepted, AggregateId};
use service_kit::Problem;

use super::find::{Number, find};
use crate::{
    Gateway,
    dispatch::dispatch,
    reply,
    request::{CommandRequest, Id},
};

/// `DELETE /api/articles/{id}/comments/{number}`: 204, or 202 when it is left to the queue.
pub(crate) async fn delete(
    State(gateway): State<Gateway>,
    request: CommandRequest,
    Id(article_id): Id<AggregateId>,
    Number(number): Number,
) -> Result<Response, Problem> {
    let comment = find(&gateway, (article_id, number), |query| request.query(query)).await?;
    dispatch(&gateway, request, DeleteComment { id: comment.id }, deleted).await
}

fn deleted(accepted: &Accepted<CommentState>) -> Response {
    (StatusCode::NO_CONTENT, reply::written(accepted)).into_response()
}
