use eventsourcing::{
    Command, CommandEnvelope, Fingerprint, Fingerprints, OperationId, Reply, StoreError, UserId,
    fingerprint::Marks,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use crate::{Connection, direct_get, names};

/// A command that was accepted for later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Derived from the command, so that a repeat is the same operation.
    pub id: OperationId,
    /// What is done: `article.create`.
    pub command: String,
    /// Tells a repeat from another command under the same id.
    pub fingerprint: Fingerprint,
    /// Who sent it.
    pub user_id: UserId,
    /// When it was sent.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// What became of it; `None` as long as it waits.
    pub outcome: Option<Outcome>,
}

/// The end of an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// When it was reached.
    #[serde(with = "time::serde::rfc3339")]
    pub finished_at: OffsetDateTime,
    /// What the service replied; `None` when it failed: a bug or a damaged store, told in its log.
    pub reply: Option<Reply<Value>>,
}

/// The operation under the key `subject`, and the sequence that says so, 0 when there is none; from the leader.
pub(super) async fn read(
    connection: &Connection,
    subject: &str,
) -> Result<(Option<Operation>, u64), StoreError> {
    let Some(last) = direct_get::last(connection, names::OPERATIONS, subject).await? else {
        return Ok((None, 0));
    };
    let operation = serde_json::from_slice(&last.payload)
        .map_err(|error| StoreError::new("reading an operation", error))?;
    Ok((Some(operation), last.sequence))
}

impl Operation {
    /// The operation that executes `command`, as it starts.
    pub(super) fn of<C: Command>(
        command: &CommandEnvelope<C>,
        fingerprints: &Fingerprints,
    ) -> Result<(Self, Marks), StoreError> {
        let marks = fingerprints
            .of(command)
            .map_err(|error| StoreError::new("writing a command", error))?;
        let operation = Self {
            id: OperationId::of(command.id, command.aggregate_id()),
            command: format!("{}.{}", C::CONTEXT, C::VERB),
            fingerprint: marks.today,
            user_id: command.actor.user_id.clone(),
            created_at: command.issued_at,
            outcome: None,
        };
        Ok((operation, marks))
    }
}
