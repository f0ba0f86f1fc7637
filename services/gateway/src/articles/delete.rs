use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use contracts::article::DeleteArticle;
use service_kit::Problem;

use crate::{
    Gateway, reply,
    request::{ArticleId, CommandRequest},
};

/// `DELETE /api/articles/{id}`: 204.
pub(crate) async fn delete(
    State(gateway): State<Gateway>,
    request: CommandRequest,
    ArticleId(id): ArticleId,
) -> Result<Response, Problem> {
    let command = request.command(DeleteArticle { id });
    let accepted = reply::accepted(gateway.commands.send(command).await)?;
    Ok((StatusCode::NO_CONTENT, reply::written(&accepted)).into_response())
}
