use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use contracts::article::{Article, UpdateArticle};
use eventsourcing::{Accepted, AggregateId};
use service_kit::Problem;

use super::body::{ArticleBody, CompleteBody};
use crate::{
    Gateway,
    dispatch::dispatch,
    reply,
    request::{CommandRequest, Id, Json},
};

/// `PUT /api/articles/{id}`: 200 with the article, or 202 when it is left to the queue.
pub(crate) async fn update(
    State(gateway): State<Gateway>,
    request: CommandRequest,
    Id(id): Id<AggregateId>,
    Json(body): Json<ArticleBody>,
) -> Result<Response, Problem> {
    let CompleteBody { title, content, slug, tags } = body.complete()?;
    dispatch(&gateway, request, UpdateArticle { id, title, content, slug, tags }, updated).await
}

fn updated(accepted: &Accepted<Article>) -> Response {
    (reply::written(accepted), axum::Json(&accepted.state)).into_response()
}
