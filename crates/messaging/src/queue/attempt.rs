//! One attempt at a command that waited.

use std::{future::Future, panic::AssertUnwindSafe, time::Duration};

use eventsourcing::{Command, CommandEnvelope, Fingerprints, Reply};
use futures_util::FutureExt;
use time::OffsetDateTime;

use super::{Operation, Outcome};
use crate::{Throttle, request::ServiceError};

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(10);
/// Held back: what goes on while something is away.
static TRYING: Throttle = Throttle::new();

/// Executes the command once; `None` when it is to be tried again.
pub(super) async fn attempt_once<C, F, Fut>(
    command: &CommandEnvelope<C>,
    handler: &F,
    fingerprints: &Fingerprints,
) -> Option<Operation>
where
    C: Command,
    F: Fn(CommandEnvelope<C>) -> Fut,
    Fut: Future<Output = Result<Reply<C::Output>, ServiceError>>,
{
    let deadline = Some(OffsetDateTime::now_utc() + ATTEMPT);
    let handling = handler(CommandEnvelope { deadline, ..command.clone() });
    // A panic is a bug; its sender shall hear of it, and others shall not wait behind it.
    let outcome = AssertUnwindSafe(handling).catch_unwind().await;
    let reply = match outcome.unwrap_or(Err(ServiceError::Internal)) {
        Ok(reply) => {
            if let Some(held_back) = TRYING.over() {
                tracing::info!(held_back, "queued commands are executed again");
            }
            reply.try_map(serde_json::to_value).ok()
        }
        // Trying again mends neither a bug nor a damaged store.
        Err(ServiceError::Internal) => None,
        Err(error) => {
            if let Some(held_back) = TRYING.pass() {
                tracing::warn!(%error, held_back, "a queued command is tried again");
            }
            return None;
        }
    };
    let outcome = Outcome { finished_at: OffsetDateTime::now_utc(), reply };
    let (operation, _) = Operation::of(command, fingerprints).ok()?;
    Some(Operation { outcome: Some(outcome), ..operation })
}
