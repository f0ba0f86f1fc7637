use std::{
    collections::HashSet,
    future::Future,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_nats::jetstream::{
    AckKind, ErrorCode, Message,
    consumer::{AckPolicy, DeliverPolicy, pull},
    stream::{ConsumerError, ConsumerErrorKind},
};
use eventsourcing::RecordedEvent;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{Backoff, DeadLetters, lanes::Lanes};
use crate::{Connection, feed::StreamMessage, names};

/// How long the server waits for a sign of life before it delivers a message again.
const ACK_WAIT: Duration = Duration::from_secs(10);
/// How often a message in hand gives a sign of life.
const PROGRESS: Duration = Duration::from_secs(3);
/// How many messages may be in hand.
const MAX_IN_HAND: i64 = 1000;
/// How many handlers run at once.
const MAX_CONCURRENT: usize = 16;
/// How often an event is tried before it goes to the dead letters.
const MAX_ATTEMPTS: u32 = 12;

/// A consumer's verdict on an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is done, or it is none of the reaction's business.
    Done,
    /// It failed; says why. It is tried again a bounded number of times, and later events of the aggregate wait.
    Retry(String),
    /// Something that the reaction needs is away; says what. It is tried again until that is back.
    Wait(String),
    /// Never; says why. It goes to the dead letters.
    GiveUp(String),
}

/// Does something outside for events.
pub trait Reaction: Send + Sync + 'static {
    /// Its name: the durable on the server, and in the dead letters and metrics. Renaming it consumes
    /// everything again.
    const NAME: &'static str;
    /// The context whose events it wants.
    const CONTEXT: &'static str;

    /// Does it. The same event may come again: the reaction keeps a record of what it did.
    fn react(&self, event: &RecordedEvent) -> impl Future<Output = Outcome> + Send;
}

/// Feeds `reaction` from its durable until `stop`, then lets what is in hand end.
///
/// One process at a time: two would each keep order among their own events only.
pub async fn run_reaction<R: Reaction>(
    connection: &Connection,
    reaction: Arc<R>,
    stop: &CancellationToken,
) {
    let worker = Arc::new(Worker {
        reaction,
        dead_letters: DeadLetters::new(connection.clone(), R::NAME),
        permits: Semaphore::new(MAX_CONCURRENT),
        in_hand: Mutex::default(),
        stop: stop.clone(),
    });
    let lanes = Lanes::new();
    let (mut failures, mut renewed) = (0, false);
    while !stop.is_cancelled() {
        let opened =
            if renewed { reopen::<R>(connection).await } else { renew::<R>(connection).await };
        let reason = match opened {
            Ok(mut messages) => {
                (failures, renewed) = (0, true);
                pull(&mut messages, &lanes, &worker).await
            }
            Err(error) => error.to_string(),
        };
        if stop.is_cancelled() {
            break;
        }
        failures += 1;
        let pause = Backoff { max: Duration::from_secs(2), ..Backoff::default() }.pause(failures);
        tracing::warn!(consumer = R::NAME, reason, ?pause, "reaction opens its durable again");
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
    lanes.drain().await;
}

/// Makes the durable anew where it left off, so that everything it has not acknowledged comes again now and in
/// order: the server would deliver the new first, and what another process had in hand only after a while.
async fn renew<R: Reaction>(connection: &Connection) -> Result<pull::Stream, async_nats::Error> {
    let jetstream = &connection.jetstream;
    let found = jetstream.get_consumer_from_stream::<pull::Config, _, _>(R::NAME, names::EVENTS);
    let floor = match found.await {
        Ok(consumer) => {
            jetstream.delete_consumer_from_stream(R::NAME, names::EVENTS).await?;
            consumer.cached_info().ack_floor.stream_sequence
        }
        Err(error) if is_missing(&error) => 0,
        Err(error) => return Err(error.into()),
    };
    create::<R>(connection, floor).await
}

/// Opens the durable. One that was deleted starts from the first event, and the reaction's own record keeps it
/// from doing anything twice.
async fn reopen<R: Reaction>(connection: &Connection) -> Result<pull::Stream, async_nats::Error> {
    let jetstream = &connection.jetstream;
    let found = jetstream.get_consumer_from_stream::<pull::Config, _, _>(R::NAME, names::EVENTS);
    match found.await {
        Ok(consumer) => Ok(consumer.messages().await?),
        Err(error) if is_missing(&error) => create::<R>(connection, 0).await,
        Err(error) => Err(error.into()),
    }
}

fn is_missing(error: &ConsumerError) -> bool {
    matches!(error.kind(), ConsumerErrorKind::JetStream(error)
        if error.error_code() == ErrorCode::CONSUMER_NOT_FOUND)
}

async fn create<R: Reaction>(
    connection: &Connection,
    after: u64,
) -> Result<pull::Stream, async_nats::Error> {
    let config = pull::Config {
        durable_name: Some(R::NAME.to_owned()),
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: after + 1 },
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_WAIT,
        max_deliver: -1,
        max_ack_pending: MAX_IN_HAND,
        filter_subject: names::events_of(R::CONTEXT),
        ..pull::Config::default()
    };
    let consumer = connection.jetstream.create_consumer_on_stream(config, names::EVENTS).await?;
    Ok(consumer.messages().await?)
}

/// Hands messages to their lanes until the stream of them breaks; tells why.
async fn pull<R: Reaction>(
    messages: &mut pull::Stream,
    lanes: &Lanes<Taken>,
    worker: &Arc<Worker<R>>,
) -> String {
    loop {
        let message = tokio::select! {
            () = worker.stop.cancelled() => return "stopping".to_owned(),
            message = messages.next() => message,
        };
        match message {
            Some(Ok(message)) => submit(message, lanes, worker),
            Some(Err(error)) => return error.to_string(),
            None => return "the durable's messages ended".to_owned(),
        }
    }
}

/// Puts a message into the lane of its aggregate.
fn submit<R: Reaction>(message: Message, lanes: &Lanes<Taken>, worker: &Arc<Worker<R>>) {
    let Some(stored) = stored(&message) else {
        tracing::error!(consumer = R::NAME, "a message without a position was dropped");
        return;
    };
    // One that waits behind a slow one is delivered again and again; once in hand is enough.
    if !worker.in_hand().insert(stored.position) {
        return;
    }
    let worker = worker.clone();
    lanes.submit(stored.subject.clone(), Taken { message, stored }, move |taken| {
        let worker = worker.clone();
        async move { worker.work(&taken).await }
    });
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    metrics::gauge!("consumer_lanes", "consumer" => R::NAME).set(lanes.len() as f64);
}

/// A message in hand: as the server knows it, and as we do.
struct Taken {
    message: Message,
    stored: StreamMessage,
}

struct Worker<R> {
    reaction: Arc<R>,
    dead_letters: DeadLetters,
    permits: Semaphore,
    /// The positions of the messages that wait or are worked on.
    in_hand: Mutex<HashSet<u64>>,
    stop: CancellationToken,
}

/// How often a message was tried, and how often that was its own fault.
#[derive(Default)]
struct Attempts {
    all: u32,
    failed: u32,
}

/// How a message leaves our hands.
enum Settled {
    /// The reaction is done with it.
    Done,
    /// It is stored among the dead letters.
    DeadLetter,
    /// It goes back to the server, for the next process.
    GivenBack,
}

impl<R: Reaction> Worker<R> {
    /// Brings one message to its end, with signs of life to the server in the meantime.
    async fn work(&self, Taken { message, stored }: &Taken) {
        let mut settle = std::pin::pin!(self.settle(stored));
        let settled = loop {
            tokio::select! {
                settled = &mut settle => break settled,
                () = tokio::time::sleep(PROGRESS) => acknowledge(message, AckKind::Progress).await,
            }
        };
        match settled {
            Settled::Done => {
                metrics::counter!("consumer_events_total", "consumer" => R::NAME).increment(1);
                acknowledge(message, AckKind::Ack).await;
            }
            Settled::DeadLetter => acknowledge(message, AckKind::Term).await,
            Settled::GivenBack => acknowledge(message, AckKind::Nak(None)).await,
        }
        self.in_hand().remove(&stored.position);
    }

    // Nothing panics while the lock is held.
    fn in_hand(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.in_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tries until there is an end, with growing pauses.
    async fn settle(&self, message: &StreamMessage) -> Settled {
        let mut attempts = Attempts::default();
        while !self.stop.is_cancelled() {
            let reason = match self.step(message, &mut attempts).await {
                Ok(settled) => return settled,
                Err(reason) => reason,
            };
            metrics::counter!("consumer_retries_total", "consumer" => R::NAME).increment(1);
            attempts.all += 1;
            let pause = Backoff::default().pause(attempts.all);
            tracing::warn!(
                consumer = R::NAME,
                position = message.position,
                reason,
                attempt = attempts.all,
                ?pause,
                "event is tried again"
            );
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        Settled::GivenBack
    }

    /// One attempt, or parking behind an earlier dead letter of the aggregate. An error means: again.
    async fn step(
        &self,
        message: &StreamMessage,
        attempts: &mut Attempts,
    ) -> Result<Settled, String> {
        let dead = self.dead_letters.last(&message.subject).await;
        let reason = match dead.map_err(|error| error.to_string())? {
            // It is there already: the process ended before the server heard of it.
            Some(position) if position == message.position => return Ok(Settled::DeadLetter),
            Some(position) => format!("parked behind the dead letter at position {position}"),
            None => match self.react(message).await {
                Outcome::Done => return Ok(Settled::Done),
                Outcome::Wait(reason) => return Err(reason),
                Outcome::Retry(reason) if attempts.failed + 1 < MAX_ATTEMPTS => {
                    attempts.failed += 1;
                    return Err(reason);
                }
                Outcome::Retry(reason) => {
                    format!("gave up after {MAX_ATTEMPTS} attempts: {reason}")
                }
                Outcome::GiveUp(reason) => reason,
            },
        };
        // Stored before the server hears that we are done with it.
        self.dead_letters.store(message, &reason).await.map_err(|error| error.to_string())?;
        Ok(Settled::DeadLetter)
    }

    async fn react(&self, message: &StreamMessage) -> Outcome {
        let event = match message.event() {
            Ok(event) => event,
            Err(error) => return Outcome::GiveUp(error.to_string()),
        };
        let span = tracing::info_span!(
            "reaction",
            consumer = R::NAME,
            event.id = %event.event.id,
            event.type = event.event.event_type,
            event.position = event.position,
            correlation.id = %event.event.metadata.correlation_id,
            traceparent = event.event.metadata.traceparent,
        );
        let Ok(_permit) = self.permits.acquire().await else {
            return Outcome::Wait("the consumer is closing".to_owned());
        };
        AssertUnwindSafe(self.reaction.react(&event).instrument(span))
            .catch_unwind()
            .await
            .unwrap_or_else(|_| Outcome::GiveUp("the handler panicked".to_owned()))
    }
}

fn stored(message: &Message) -> Option<StreamMessage> {
    Some(StreamMessage {
        subject: message.subject.to_string(),
        headers: message.headers.clone().unwrap_or_default(),
        payload: message.payload.clone(),
        position: message.info().ok()?.stream_sequence,
    })
}

/// An acknowledgement that gets lost means another delivery, which the reaction's own record answers.
async fn acknowledge(message: &Message, kind: AckKind) {
    if let Err(error) = message.ack_with(kind).await {
        tracing::warn!(%error, "sending an acknowledgement failed");
    }
}
