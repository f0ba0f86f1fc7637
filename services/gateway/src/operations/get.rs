use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use eventsourcing::OperationId;
use service_kit::Problem;

use super::{RETRY_AFTER, view};
use crate::{
    Gateway, reply,
    request::{Id, NoParameters, Parameters, User},
};

/// `GET /api/operations/{id}`: 200 with the operation, for who sent its command; 404 for anybody else.
pub(crate) async fn get(
    State(gateway): State<Gateway>,
    User(actor): User,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    Id(id): Id<OperationId>,
) -> Result<Response, Problem> {
    let operation = reply::operations(gateway.queue.operation(id).await)?;
    let operation = operation.filter(|operation| operation.user_id == actor.user_id);
    let operation = operation.ok_or_else(|| {
        let detail = "there is no operation of yours with this id; they are kept for 24 hours";
        Problem::new(StatusCode::NOT_FOUND, "operation-not-found", detail)
    })?;
    let retry = operation.outcome.is_none().then_some((header::RETRY_AFTER, RETRY_AFTER));
    Ok((AppendHeaders(retry), axum::Json(view::view(&operation))).into_response())
}
