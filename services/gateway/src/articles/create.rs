use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use contracts::article::{Article, CreateArticle};
use eventsourcing::Accepted;
use service_kit::Problem;

use super::body::{ArticleBody, CompleteBody};
use crate::{
    Gateway,
    dispatch::dispatch,
    reply,
    request::{CommandRequest, Json},
};

/// `POST /api/articles`: 201 with the article, or 202 when it is left to the queue.
pub(crate) async fn create(
    State(gateway): State<Gateway>,
    request: CommandRequest,
    Json(body): Json<ArticleBody>,
) -> Result<Response, Problem> {
    let CompleteBody { title, content, slug, tags } = body.complete()?;
    let tags = tags.unwrap_or_default();
    dispatch(&gateway, request, CreateArticle { title, content, slug, tags }, created).await
}

fn created(accepted: &Accepted<Article>) -> Response {
    let location = [(header::LOCATION, format!("/api/articles/{}", accepted.aggregate_id))];
    let headers = reply::written(accepted);
    (StatusCode::CREATED, location, headers, axum::Json(&accepted.state)).into_response()
}
