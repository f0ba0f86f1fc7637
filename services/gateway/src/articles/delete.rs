use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use contracts::article::{Article, DeleteArticle};
use eventsourcing::{Accepted, AggregateId};
use service_kit::Problem;

use crate::{
    Gateway,
    dispatch::dispatch,
    reply,
    request::{CommandRequest, Id},
};

/// `DELETE /api/articles/{id}`: 204, or 202 when it is left to the queue.
pub(crate) async fn delete(
    State(gateway): State<Gateway>,
    request: CommandRequest,
    Id(id): Id<AggregateId>,
) -> Result<Response, Problem> {
    dispatch(&gateway, request, DeleteArticle { id }, deleted).await
}

fn deleted(accepted: &Accepted<Article>) -> Response {
    (StatusCode::NO_CONTENT, reply::written(accepted)).into_response()
}
