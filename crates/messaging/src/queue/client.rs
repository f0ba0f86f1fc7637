use async_nats::{
    HeaderMap,
    header::{NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, NATS_MESSAGE_ID},
    jetstream::message::PublishMessage,
};
use bytes::Bytes;
use eventsourcing::{
    AppendError, Command, CommandEnvelope, Fingerprints, OperationId, Refusal, RefusalKind,
    StoreError,
};

use super::{Operation, operation};
use crate::{
    Connection,
    event_store::publish_error,
    names::{self, header},
};

/// A command was not accepted for later.
#[derive(Debug, thiserror::Error)]
pub enum EnqueueError {
    /// Its id stands for another command.
    #[error(transparent)]
    Refused(Refusal),
    /// It may wait in the queue or not; the same command again settles it.
    #[error("nobody knows whether the command is in the queue")]
    Unknown(#[source] StoreError),
    /// It is not in the queue.
    #[error(transparent)]
    Unavailable(#[from] StoreError),
}

/// Accepts commands for later, and tells what became of them.
#[derive(Debug, Clone)]
pub struct CommandQueue {
    connection: Connection,
    fingerprints: Fingerprints,
}

impl CommandQueue {
    /// A queue over `connection`.
    #[must_use]
    pub fn new(connection: Connection) -> Self {
        Self { connection, fingerprints: Fingerprints::default() }
    }

    /// The same with the fingerprints of the services that execute the commands.
    #[must_use]
    pub fn with_fingerprints(self, fingerprints: Fingerprints) -> Self {
        Self { fingerprints, ..self }
    }

    /// Puts `command` into the queue, once, however often it is sent; tells its operation as it is by then.
    ///
    /// What waits has no deadline: it is executed when its service comes to it.
    pub async fn enqueue<C: Command>(
        &self,
        command: CommandEnvelope<C>,
    ) -> Result<Operation, EnqueueError> {
        if !C::QUEUEABLE {
            let detail = format!("the command {}.{} cannot wait", C::CONTEXT, C::VERB);
            let refusal = Refusal::new(RefusalKind::Invalid, "not-queueable", detail);
            return Err(EnqueueError::Refused(refusal));
        }
        let command = CommandEnvelope { deadline: None, ..command };
        let (operation, marks) = Operation::of(&command, &self.fingerprints)?;
        // First the operation, then the command: who finds the command done finds what became of it.
        let earlier = self.start(C::CONTEXT, &operation).await?;
        let is_repeat = earlier.is_some();
        if let Some(earlier) = earlier {
            if !marks.are_of(earlier.fingerprint) {
                return Err(EnqueueError::Refused(Refusal::reused()));
            }
            if earlier.outcome.is_some() {
                return Ok(earlier);
            }
            // Whether the first attempt got as far as the queue, nobody knows.
        }
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, operation.id.to_string());
        if let Some(traceparent) = &command.traceparent {
            headers.insert(header::TRACEPARENT, traceparent.as_str());
        }
        let body = serde_json::to_vec(&command)
            .map_err(|error| StoreError::new("writing a command", error))?;
        let subject = names::queued_command(C::CONTEXT, C::VERB);
        self.publish(subject, headers, body.into()).await.map_err(|error| match error {
            AppendError::Failed(error) if !is_repeat => EnqueueError::Unavailable(error),
            AppendError::Failed(error) | AppendError::Unknown(error) => {
                EnqueueError::Unknown(error)
            }
            error => StoreError::new("putting a command into the queue", error).into(),
        })?;
        Ok(operation)
    }

    /// The operation `id`; `None` when there is none, or it was too long ago.
    pub async fn operation(&self, id: OperationId) -> Result<Option<Operation>, StoreError> {
        self.last(&names::operation("*", id)).await
    }

    /// Says that `operation` waits; gives the one that is there already.
    async fn start(
        &self,
        context: &str,
        operation: &Operation,
    ) -> Result<Option<Operation>, StoreError> {
        let subject = names::operation(context, operation.id);
        let mut headers = HeaderMap::new();
        headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, "0");
        let body = serde_json::to_vec(operation)
            .map_err(|error| StoreError::new("writing an operation", error))?;
        match self.publish(subject.clone(), headers, body.into()).await {
            Ok(()) => Ok(None),
            Err(AppendError::Conflict) => self.last(&subject).await,
            Err(AppendError::Unknown(error) | AppendError::Failed(error)) => Err(error),
            Err(error) => Err(StoreError::new("starting an operation", error)),
        }
    }

    async fn last(&self, subject: &str) -> Result<Option<Operation>, StoreError> {
        self.check_link()?;
        Ok(operation::read(&self.connection, subject).await?.0)
    }

    async fn publish(
        &self,
        subject: String,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<(), AppendError> {
        self.check_link()?;
        let publish = PublishMessage::build().headers(headers).payload(payload);
        let ack = self.connection.jetstream.send_publish(subject, publish).await;
        ack.map_err(publish_error)?.await.map(drop).map_err(publish_error)
    }

    /// Sent while disconnected it would wait in a buffer and arrive when nobody expects it any more.
    fn check_link(&self) -> Result<(), StoreError> {
        if self.connection.is_connected() {
            Ok(())
        } else {
            Err(StoreError::new("reaching the queue", "not connected to NATS"))
        }
    }
}
