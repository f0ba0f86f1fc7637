use std::{collections::HashMap, future::Future, pin::Pin, sync::Arc, time::Duration};

use async_nats::{
    header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE,
    jetstream::{
        AckKind, Message,
        consumer::{AckPolicy, pull},
        message::PublishMessage,
    },
};
use bytes::Bytes;
use eventsourcing::{Command, CommandEnvelope, Fingerprints, OperationId, Reply, object};
use futures_util::{FutureExt, StreamExt};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{
    Operation,
    attempt::attempt_once,
    in_hand::{InHand, Taken, acknowledge},
    operation,
};
use crate::{
    Connection, Throttle,
    consumer::{Backoff, lanes::Lanes},
    names::{self, header},
    permissions::NOTHING,
    request::ServiceError,
};

/// How long the server waits for a sign of life before it delivers a command again.
const ACK_WAIT: Duration = Duration::from_secs(10);
/// How many commands may be in hand.
const MAX_IN_HAND: i64 = 256;
/// How many the client fetches ahead: those that it has when the connection breaks come again after the wait.
const PREFETCH: usize = 64;
/// The pauses of a command that cannot be executed yet, and of a queue that cannot be opened.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(100), max: Duration::from_secs(10) };
/// When a command that this process cannot read comes again, perhaps to a newer one.
const UNREADABLE_PAUSE: Duration = Duration::from_secs(30);

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;
type Read = Arc<dyn Fn(&QueueServer, &Message) -> Option<Job> + Send + Sync>;

/// A command that was read: the lane it belongs to, and how it is brought to its end.
struct Job {
    lane: String,
    work: Box<dyn FnOnce(Taken) -> Work + Send>,
}

/// Held back: what goes on while something is away.
static OPENING: Throttle = Throttle::new();
static KEEPING: Throttle = Throttle::new();
static READING: Throttle = Throttle::new();

/// Executes the commands that wait in the queue for one context. Replicas share the work.
///
/// One process executes commands of one aggregate one after the other, in the order in which it gets them, and one
/// that cannot be executed yet holds up its own aggregate only, as long as fewer than 256 wait like that. Between replicas, and around a restart, there is no
/// order: who needs one names the version that he expects.
#[derive(Clone)]
pub struct QueueServer {
    connection: Connection,
    context: &'static str,
    verbs: HashMap<String, Read>,
    in_hand: InHand,
    fingerprints: Fingerprints,
    stop: CancellationToken,
}

impl QueueServer {
    /// A server for the commands of `context` until `stop`.
    #[must_use]
    pub fn new(connection: Connection, context: &'static str, stop: CancellationToken) -> Self {
        let (verbs, in_hand) = (HashMap::new(), InHand::default());
        Self { connection, context, verbs, in_hand, fingerprints: Fingerprints::default(), stop }
    }

    /// The same with fingerprints of its own.
    #[must_use]
    pub fn with_fingerprints(self, fingerprints: Fingerprints) -> Self {
        Self { fingerprints, ..self }
    }

    /// Executes the command `C` with `handler`.
    pub fn command<C, F, Fut>(&mut self, handler: F)
    where
        C: Command,
        F: Fn(CommandEnvelope<C>) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<Reply<C::Output>, ServiceError>> + Send + 'static,
    {
        let read = move |server: &Self, message: &Message| {
            let mut command: CommandEnvelope<C> = object::read(&message.payload).ok()?;
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
            let work = move |taken| -> Work {
                let work = async move { server.finish(taken, command, handler).await };
                Box::pin(work.instrument(span))
            };
            Some(Job { lane, work: Box::new(work) })
        };
        self.verbs.insert(names::queued_command(C::CONTEXT, C::VERB), Arc::new(read));
    }

    /// Takes commands from the queue until it is time to stop; returns when none is in hand.
    pub async fn run(self) {
        let lanes = Lanes::new();
        let taking = async {
            let mut failures = 0;
            while !self.stop.is_cancelled() {
                failures += 1;
                if let Err(error) = self.take(&lanes, &mut failures).await
                    && let Some(held_back) = OPENING.pass()
                {
                    tracing::warn!(%error, failures, held_back, "opening the command queue again");
                }
                self.pause(failures).await;
            }
            lanes.drain().await;
        };
        tokio::select! {
            () = taking => {}
            () = self.in_hand.keep_alive() => {}
        }
    }

    /// Takes commands until something is wrong with the connection or the durable.
    async fn take(&self, lanes: &Lanes<Work>, failures: &mut u32) -> Result<(), async_nats::Error> {
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
        let begun = Instant::now();
        let jetstream = &self.connection.jetstream;
        let consumer = jetstream.create_consumer_on_stream(config, names::COMMANDS).await?;
        let mut messages = consumer.stream().max_messages_per_batch(PREFETCH).messages().await?;
        *failures = 0;
        if let Some(held_back) = OPENING.over() {
            tracing::info!(held_back, "the command queue is open again");
        }
        let pulls = vec![(names::pull(names::COMMANDS, self.context), NOTHING)];
        let _asking = self.connection.ask(pulls);
        loop {
            let message = tokio::select! {
                reason = self.connection.consumer_denied(begun, self.context) => return Err(reason.into()),
                () = self.stop.cancelled() => {
                    // What was fetched ahead is for another process, now.
                    while let Some(Some(Ok(message))) = messages.next().now_or_never() {
                        acknowledge(&message, AckKind::Nak(None)).await;
                    }
                    return Ok(());
                }
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
        let read = self.verbs.get(message.subject.as_str());
        let Some(job) = read.and_then(|read| read(self, &message)) else {
            // It was accepted, perhaps by a gateway that is newer than we are.
            if let Some(held_back) = READING.pass() {
                let subject = &message.subject;
                tracing::error!(%subject, held_back, "a queued command cannot be read");
            }
            return acknowledge(&message, AckKind::Nak(Some(UNREADABLE_PAUSE))).await;
        };
        if let Some(taken) = self.in_hand.take(message) {
            lanes.submit(job.lane, (job.work)(taken), |work| work);
        }
    }

    /// Brings one command to its end: executed, its outcome kept, acknowledged. In this order.
    async fn finish<C, F, Fut>(&self, taken: Taken, command: CommandEnvelope<C>, handler: F)
    where
        C: Command,
        F: Fn(CommandEnvelope<C>) -> Fut,
        Fut: Future<Output = Result<Reply<C::Output>, ServiceError>>,
    {
        let id = OperationId::of(command.id, command.aggregate_id());
        let mut outcome: Option<Operation> = None;
        for attempt in 1.. {
            if self.stop.is_cancelled() {
                return taken.settle(AckKind::Nak(None)).await;
            }
            match self.step(id, &command, &handler, &mut outcome).await {
                Ok(true) => {
                    if let Some(held_back) = KEEPING.over() {
                        tracing::info!(held_back, "outcomes are read and kept again");
                    }
                    return taken.settle(AckKind::Ack).await;
                }
                Ok(false) => {}
                Err(error) => {
                    if let Some(held_back) = KEEPING.pass() {
                        tracing::warn!(%error, held_back, "reading or keeping an outcome failed");
                    }
                }
            }
            self.pause(attempt).await;
        }
    }

    /// Executes the command if it has no outcome yet, and keeps its outcome; says whether it has one.
    ///
    /// A refusal leaves no event: decided a second time it might be an acceptance. So the first outcome that is kept
    /// stays, whoever kept it.
    async fn step<C, F, Fut>(
        &self,
        id: OperationId,
        command: &CommandEnvelope<C>,
        handler: &F,
        outcome: &mut Option<Operation>,
    ) -> Result<bool, async_nats::Error>
    where
        C: Command,
        F: Fn(CommandEnvelope<C>) -> Fut,
        Fut: Future<Output = Result<Reply<C::Output>, ServiceError>>,
    {
        let subject = names::operation(self.context, id);
        let (kept, sequence) = operation::read(&self.connection, &subject).await?;
        if kept.is_some_and(|operation| operation.outcome.is_some()) {
            return Ok(true);
        }
        if outcome.is_none() {
            *outcome = attempt_once(command, handler, &self.fingerprints).await;
        }
        let Some(operation) = outcome else { return Ok(false) };
        let publish = PublishMessage::build()
            .header(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, sequence.to_string())
            .payload(Bytes::from(serde_json::to_vec(operation)?));
        let kept = self.connection.jetstream.send_publish(subject, publish).await?.await;
        kept.map(|_| true).map_err(Into::into)
    }

    async fn pause(&self, failures: u32) {
        if failures > 0 {
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = tokio::time::sleep(BACKOFF.pause(failures)) => {}
            }
        }
    }
}
