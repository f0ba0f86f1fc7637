use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use contracts::article::CreateArticle;
use service_kit::Problem;

use super::body::{ArticleBody, CompleteBody};
use crate::{
    Gateway, reply,
    request::{CommandRequest, Json},
};

/// `POST /api/articles`: 201 with the article.
pub(crate) async fn create(
    State(gateway): State<Gateway>,
    request: CommandRequest,
    Json(body): Json<ArticleBody>,
) -> Result<Response, Problem> {
    let CompleteBody { title, content, slug, tags } = body.complete()?;
    let tags = tags.unwrap_or_default();
    let command = request.command(CreateArticle { title, content, slug, tags });
    let accepted = reply::accepted(gateway.commands.send(command).await)?;
    let location = format!("/api/articles/{}", accepted.aggregate_id);
    let headers = [(header::LOCATION, location)];
    let body = axum::Json(&accepted.state);
    Ok((StatusCode::CREATED, headers, reply::written(&accepted), body).into_response())
}
