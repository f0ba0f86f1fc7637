//! A command on its way: its outcome now, or an operation that will have it later.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use eventsourcing::{Accepted, Command, CommandEnvelope};
use messaging::{RequestError, ServiceError};
use service_kit::Problem;
use time::OffsetDateTime;

use crate::{Gateway, operations, reply, request::CommandRequest};

/// Sends the command with `data` that `request` means; `accepted` says what its acceptance looks like.
///
/// By default the client hears the outcome. With `Prefer: respond-async` the command goes to the queue at once, with
/// `Prefer: wait=N` when there is no outcome by then; the client gets a 202.
pub(crate) async fn dispatch<C: Command>(
    gateway: &Gateway,
    request: CommandRequest,
    data: C,
    accepted: impl FnOnce(&Accepted<C::Output>) -> Response,
) -> Result<Response, Problem> {
    let prefer = request.prefer();
    let command = request.command(data);
    // A preference may be passed over (RFC 7240, 2).
    let patience = prefer.patience(gateway.command_timeout).filter(|_| C::QUEUEABLE);
    let Some(patience) = patience else {
        let outcome = gateway.commands.send(command).await;
        return reply::accepted(C::CONTEXT, outcome).map(|outcome| accepted(&outcome));
    };
    let tried = !patience.is_zero();
    if tried && let Some(outcome) = within(gateway, &command, patience).await {
        return reply::accepted(C::CONTEXT, outcome).map(|outcome| accepted(&outcome));
    }
    let operation = reply::enqueued(C::CONTEXT, gateway.queue.enqueue(command).await, tried)?;
    Ok(operations::accepted(&operation, prefer.applied(patience)).into_response())
}

/// The outcome of `command` if there is one within `patience`.
async fn within<C: Command>(
    gateway: &Gateway,
    command: &CommandEnvelope<C>,
    patience: Duration,
) -> Option<Result<eventsourcing::Reply<C::Output>, RequestError>> {
    // Not executed after that: it may be executed from the queue, and is then a repeat should it have been before.
    let deadline = Some(OffsetDateTime::now_utc() + patience);
    let command = CommandEnvelope { deadline, ..command.clone() };
    let outcome = tokio::time::timeout(patience, gateway.commands.send(command)).await.ok()?;
    match outcome {
        // What a later attempt may get past.
        Err(
            RequestError::NotConnected { .. }
            | RequestError::NoService { .. }
            | RequestError::TimedOut { .. },
        ) => None,
        Err(RequestError::Service { error, .. }) if error != ServiceError::Internal => None,
        outcome => Some(outcome),
    }
}
