use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use contracts::article::UpdateArticle;
use service_kit::Problem;

use super::body::{ArticleBody, CompleteBody};
use crate::{
    Gateway, reply,
    request::{ArticleId, CommandRequest, Json},
};

/// `PUT /api/articles/{id}`: 200 with the article.
pub(crate) async fn update(
    State(gateway): State<Gateway>,
    request: CommandRequest,
    ArticleId(id): ArticleId,
    Json(body): Json<ArticleBody>,
) -> Result<Response, Problem> {
    let CompleteBody { title, content, slug, tags } = body.complete()?;
    let command = request.command(UpdateArticle { id, title, content, slug, tags });
    let accepted = reply::accepted(gateway.commands.send(command).await)?;
    Ok((reply::written(&accepted), axum::Json(&accepted.state)).into_response())
}
