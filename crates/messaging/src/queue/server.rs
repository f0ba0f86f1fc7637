use std::{collections::HashMap, future::Future, pin::Pin, sync::Arc, time::Duration};

use async_nats::jetstream::{
    AckKind, Message,
    consumer::{AckPolicy, pull},
    message::PublishMessage,
};
use bytes::Bytes;
use eventsourcing::{Command, CommandEnvelope, Reply};
use futures_util::StreamExt;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{Operation, Outcome};
use crate::{
    Connection,
    consumer::{Backoff, lanes::Lanes},
    names::{self, header},
    request::ServiceError,
};

/// How long the server waits for a sign of life before it delivers a command again.
const ACK_WAIT: Duration = Duration::from_secs(30);
/// How many commands may be in hand.
const MAX_IN_HAND: i64 = 256;
/// The pauses of a command that cannot be executed yet, well within the server's patience.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(100), max: Duration::from_secs(10) };
/// The pause before the queue is opened again after an error.
const REOPEN_PAUSE: Duration = Duration::from_millis(250);

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;
type Prepare = Arc<dyn Fn(&QueueServer, Message) -> Option<(String, Work)> + Send + Sync>;

/// Executes the commands that wait in the queue for one context. Replicas share the work.
///
/// Commands of one aggregate are executed in the order in which they were accepted, but for those that a process had in
/// hand when it crashed: they come again after the others. One that cannot be executed yet is tried until it can be,
/// and holds up its own aggregate only.
#[derive(Clone)]
pub struct QueueServer {
    connection: Connection,
    context: &'static str,
    verbs: HashMap<String, Prepare>,
    stop: CancellationToken,
}

impl QueueServer {
    /// A server for the commands of `context` until `stop`.
    #[must_use]
    pub fn new(connection: Connection, context: &'static str, stop: CancellationToken) -> Self {
        Self { connection, context, verbs: HashMap::new(), stop }
    }

    /// Executes the command `C` with `handler`.
    pub fn command<C, F, Fut>(&mut self, handler: F)
    where
        C: Command,
        F: Fn(CommandEnvelope<C>) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<Reply<C::Output>, ServiceError>> + Send + 'static,
    {
        let prepare = move |server: &Self, message: Message| {
            let mut command: CommandEnvelope<C> = serde_json::from_slice(&message.payload).ok()?;
            let headers = message.headers.as_ref();
            command.traceparent = headers
                .and_then(|headers| headers.get(header::TRACEPARENT))
                .map(ToString::to_string);
            let span = tracing::info_span!(
                "queued command",
                command = format!("{}.{}", C::CONTEXT, C::VERB),
                command.id = %command.id,
                correlation.id = %command.correlation_id,
                traceparent = command.traceparent,
            );
            let lane = command.aggregate_id().to_string();
            let (server, handler) = (server.clone(), handler.clone());
            let work = async move { server.finish(&message, command, handler).await };
            Some((lane, Box::pin(work.instrument(span)) as Work))
        };
        self.verbs.insert(names::queued_command(C::CONTEXT, C::VERB), Arc::new(prepare));
    }

    /// Takes commands from the queue until it is time to stop; returns when none is in hand.
    pub async fn run(self) {
        let lanes = Lanes::new();
        while !self.stop.is_cancelled() {
            if let Err(error) = self.take(&lanes).await {
                tracing::warn!(%error, "opening the command queue again");
            }
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = tokio::time::sleep(REOPEN_PAUSE) => {}
            }
        }
        lanes.drain().await;
    }

    /// Takes commands until something is wrong with the connection or the durable.
    async fn take(&self, lanes: &Lanes<Work>) -> Result<(), async_nats::Error> {
        let connects = self.connection.link().borrow().connects;
        let config = pull::Config {
            durable_name: Some(self.context.to_owned()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: ACK_WAIT,
            max_deliver: -1,
            max_ack_pending: MAX_IN_HAND,
            filter_subject: names::queued_commands_of(self.context),
            ..pull::Config::default()
        };
        let jetstream = &self.connection.jetstream;
        let consumer = jetstream.create_consumer_on_stream(config, names::COMMANDS).await?;
        let mut messages = consumer.messages().await?;
        loop {
            let message = tokio::select! {
                () = self.stop.cancelled() => return Ok(()),
                // A server that restarted has forgotten who pulls.
                () = self.connection.renewed(connects) => return Ok(()),
                message = messages.next() => message,
            };
            match message {
                Some(message) => self.submit(message?, lanes).await,
                None => return Ok(()),
            }
        }
    }

    async fn submit(&self, message: Message, lanes: &Lanes<Work>) {
        let prepare = self.verbs.get(message.subject.as_str());
        let acknowledge = message.clone();
        if let Some((lane, work)) = prepare.and_then(|prepare| prepare(self, message)) {
            return lanes.submit(lane, work, |work| work);
        }
        // Only who may write to the queue can have put it there.
        tracing::error!(subject = %acknowledge.subject, "a command that cannot be read was dropped");
        settle(&acknowledge, AckKind::Term).await;
    }

    /// Brings one command to its end: executed, its outcome kept, acknowledged. In this order.
    async fn finish<C, F, Fut>(&self, message: &Message, command: CommandEnvelope<C>, handler: F)
    where
        C: Command,
        F: Fn(CommandEnvelope<C>) -> Fut,
        Fut: Future<Output = Result<Reply<C::Output>, ServiceError>>,
    {
        let mut outcome: Option<Operation> = None;
        for attempt in 1.. {
            if self.stop.is_cancelled() {
                return settle(message, AckKind::Nak(None)).await;
            }
            if outcome.is_none() {
                outcome = self.attempt(&command, &handler).await;
            }
            if let Some(operation) = &outcome {
                match self.keep(operation).await {
                    Ok(()) => return settle(message, AckKind::Ack).await,
                    Err(error) => tracing::warn!(%error, "keeping an outcome failed"),
                }
            }
            settle(message, AckKind::Progress).await;
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = tokio::time::sleep(BACKOFF.pause(attempt)) => {}
            }
        }
    }

    /// Executes the command once; `None` when it is to be tried again.
    async fn attempt<C, F, Fut>(
        &self,
        command: &CommandEnvelope<C>,
        handler: &F,
    ) -> Option<Operation>
    where
        C: Command,
        F: Fn(CommandEnvelope<C>) -> Fut,
        Fut: Future<Output = Result<Reply<C::Output>, ServiceError>>,
    {
        let reply = match handler(command.clone()).await {
            Ok(reply) => Some(reply),
            // Trying again mends neither a bug nor a damaged store.
            Err(ServiceError::Internal) => None,
            Err(error) => {
                tracing::warn!(%error, "a queued command is tried again");
                return None;
            }
        };
        let reply = reply.map(|reply| reply.try_map(serde_json::to_value)).transpose().ok()?;
        let operation = Operation::of(command).ok()?;
        let outcome = Outcome { finished_at: OffsetDateTime::now_utc(), reply };
        Some(Operation { outcome: Some(outcome), ..operation })
    }

    async fn keep(&self, operation: &Operation) -> Result<(), async_nats::Error> {
        let subject = names::operation(self.context, operation.id);
        let body = Bytes::from(serde_json::to_vec(operation)?);
        let publish = PublishMessage::build().payload(body);
        self.connection.jetstream.send_publish(subject, publish).await?.await?;
        Ok(())
    }
}

/// An acknowledgement that gets lost means another delivery, which the aggregate itself answers.
async fn settle(message: &Message, kind: AckKind) {
    if let Err(error) = message.ack_with(kind).await {
        tracing::warn!(%error, "sending an acknowledgement failed");
    }
}
