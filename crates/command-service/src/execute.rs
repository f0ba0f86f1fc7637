//! A command's way to its reply.

use std::sync::Arc;

use eventsourcing::{
    Accepted, Aggregate, Command, CommandEnvelope, Decide, DecodeError, ExecuteError, Executor,
    Refusal, RefusalKind, Reply, StreamId, StreamIdentity,
};
use messaging::{JetStreamSnapshots, ServiceError, Suspicion, Throttle, names::EventSubject};

use crate::{per_stream::PerStream, store::Store};

/// Held back: what each command may be the reason for.
static GAPS: Throttle = Throttle::new();
static REPLACED: Throttle = Throttle::new();
static AWAY: Throttle = Throttle::new();
static CONTENDED: Throttle = Throttle::new();
static BROKEN: Throttle = Throttle::new();

/// The executor of the aggregates `A` for each stream.
pub(crate) type Executors<A> = Arc<PerStream<Executor<A, Store, JetStreamSnapshots>>>;

/// An aggregate of which the sender of a command is told the view `V`.
pub trait Show<V>: Aggregate {
    /// The view after an accepted command. `None` only before the first event, when no command was accepted.
    fn show(&self) -> Option<V>;
}

/// Executes `command` in `service`; what went wrong is logged here, once.
pub(crate) async fn handle<A, C>(
    service: &'static str,
    executors: &Executors<A>,
    command: &CommandEnvelope<C>,
) -> Result<Reply<C::Output>, ServiceError>
where
    C: Command,
    A: Decide<C> + Show<C::Output>,
{
    let (stream, executor) = executors.current().await?;
    let reply = match executor.execute(command).await {
        Ok(reply) => reply,
        Err(ExecuteError::Corrupt(gap @ DecodeError::Gap { .. })) => {
            metrics::counter!("history_gaps_total", "reader" => service).increment(1);
            let id = command.aggregate_id();
            let aggregate = StreamId::new(A::CONTEXT, id);
            if let Some(held_back) = GAPS.pass() {
                tracing::error!(
                    %aggregate,
                    %gap,
                    held_back,
                    "events of an aggregate are missing from the stream: restore it from a backup (newswire verify lists what is missing)"
                );
            }
            let subject = EventSubject(aggregate).to_string();
            executors.connection().suspect(service, Suspicion::Aggregate(subject));
            Reply::Refused(history_damaged(A::CONTEXT))
        }
        Err(error) => return Err(failed(error)),
    };
    if !executors.is_still(stream).await {
        if let Some(held_back) = REPLACED.pass() {
            tracing::error!(%stream, held_back, "the stream was replaced under a command");
        }
        return Err(ServiceError::OutcomeUnknown);
    }
    match reply {
        Reply::Refused(refusal) => {
            tracing::info!(refusal = %refusal.code, "command refused");
            Ok(Reply::Refused(refusal))
        }
        Reply::Accepted(accepted) => tell(accepted, stream),
    }
}

/// What the sender of an accepted command hears.
fn tell<A, V>(accepted: Accepted<A>, stream: StreamIdentity) -> Result<Reply<V>, ServiceError>
where
    A: Show<V>,
{
    tracing::info!(
        aggregate.id = %accepted.aggregate_id,
        aggregate.version = accepted.version,
        event.position = accepted.position,
        repeated = accepted.repeated,
        "command accepted"
    );
    if let Some(held_back) = AWAY.over() {
        tracing::info!(held_back, "commands are executed again");
    }
    let view = accepted.state.show().ok_or(ServiceError::Internal)?;
    let accepted = Accepted { stream: Some(stream), ..accepted };
    Ok(Reply::Accepted(accepted.map(|_| view)))
}

/// A write over missing events would make them missed for good.
fn history_damaged(context: &str) -> Refusal {
    let detail = format!(
        "earlier changes to this {context} are missing from the store; nothing was changed"
    );
    Refusal::new(RefusalKind::Conflict, "history-damaged", detail)
}

/// What the sender hears of `error`, which is logged.
fn failed(error: ExecuteError) -> ServiceError {
    let answer = service_error(&error);
    let kind = match answer {
        ServiceError::Contended => &CONTENDED,
        ServiceError::Internal => &BROKEN,
        _ => &AWAY,
    };
    if let Some(held_back) = kind.pass() {
        let error = format!("{:#}", anyhow::Error::from(error));
        tracing::error!(error, held_back, "command failed");
    }
    answer
}

fn service_error(error: &ExecuteError) -> ServiceError {
    match error {
        ExecuteError::Expired => ServiceError::DeadlineExceeded,
        ExecuteError::Unavailable(_) => ServiceError::Unavailable,
        ExecuteError::Contended => ServiceError::Contended,
        ExecuteError::OutcomeUnknown(_) => ServiceError::OutcomeUnknown,
        // An event of a newer process: that one can decide, and so can we once we are replaced.
        ExecuteError::Corrupt(DecodeError::UnknownType(_) | DecodeError::UnknownVersion { .. }) => {
            ServiceError::Unavailable
        }
        ExecuteError::Corrupt(_) | ExecuteError::Encode(_) => ServiceError::Internal,
    }
}
