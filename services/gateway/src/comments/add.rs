use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use contracts::comment::{AddComment, Comment, CommentState};
use eventsourcing::{Accepted, AggregateId};
use serde::Deserialize;
use service_kit::Problem;

use crate::{
    Gateway,
    dispatch::dispatch,
    reply,
    request::{CommandRequest, Id, Json},
};

/// The body of a POST.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommentBody {
    text: Option<String>,
}

/// `POST /api/articles/{id}/comments`: 201 with the comment, or 202 when it is left to the queue.
pub(crate) async fn add(
    State(gateway): State<Gateway>,
    Id(article_id): Id<AggregateId>,
    request: CommandRequest,
    Json(body): Json<CommentBody>,
) -> Result<Response, Problem> {
    let text = body.text.ok_or_else(|| reply::invalid_field("text", "is required"))?;
    dispatch(&gateway, request, AddComment { article_id, text }, added).await
}

fn added(accepted: &Accepted<CommentState>) -> Response {
    let comment = Comment { number: accepted.position, state: accepted.state.clone() };
    let path = format!("/api/articles/{}/comments/{}", comment.state.article_id, comment.number);
    let headers = reply::written(accepted);
    (StatusCode::CREATED, [(header::LOCATION, path)], headers, axum::Json(comment)).into_response()
}
