mod durable;
mod in_hand;
mod taken;
mod watch;
mod worker;

use std::{future::Future, sync::Arc, time::Duration};

use async_nats::{
    HeaderMap,
    jetstream::{
        Message,
        consumer::{PullConsumer, pull},
    },
};
use eventsourcing::{RecordedEvent, StreamIdentity};
use futures_util::StreamExt;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::{durable::Place, taken::Taken, worker::Worker};
use super::{
    Backoff, DeadLetterBox, DeadLetters,
    lanes::Lanes,
    redrive::{Ordered, Orders},
};
use crate::{Connection, Throttle, lease::Turn, names, permissions::NOTHING};

/// "I am at it", of a message in hand. Of none it means nothing.
const PROGRESS: &[u8] = b"+WPI";
/// Why nothing is done.
const NOT_ACTIVE: &str = "it is another process's turn";

/// What stands in the lane of an aggregate.
enum Job {
    /// An event.
    Event(Box<Taken>),
    /// To try the aggregate's dead letters again: no event of it may come in between.
    Redrive(Box<Ordered>),
}

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
    /// The contexts whose events it wants; at least one.
    const CONTEXTS: &'static [&'static str];
    /// How often an event that fails is tried before it goes to the dead letters: with the pauses below, for about ten
    /// minutes.
    const MAX_ATTEMPTS: u32 = 32;
    /// The pauses between attempts.
    const BACKOFF: Backoff = Backoff::DEFAULT;

    /// Whether it is this process's turn. While it is not, nothing is done and the durable is left alone.
    fn is_active(&self) -> bool {
        true
    }

    /// It is this process's `turn` from now on, where several processes take turns.
    fn begin(&self, _turn: &Turn) {}

    /// Does it. The same event may come again: the reaction keeps a record of what it did.
    fn react(&self, event: &RecordedEvent) -> impl Future<Output = Outcome> + Send;
}

/// Feeds `reaction` from its durable until `stop`, then lets what is in hand end.
///
/// One process at a time: two would each keep order among their own events only. Where several may run, a
/// [lease](crate::lease) says whose turn it is.
pub async fn run_reaction<R: Reaction>(
    connection: &Connection,
    reaction: Arc<R>,
    stop: &CancellationToken,
) {
    let dead_letters = DeadLetters::new(connection.clone(), R::NAME);
    let letters = DeadLetterBox::new(connection.clone());
    let worker = Arc::new(Worker::new(reaction, dead_letters, letters, stop.clone()));
    let lanes = Lanes::new();
    let (mut failures, mut place, mut read) = (0, Place::default(), None);
    let warnings = Throttle::new();
    while !stop.is_cancelled() {
        let connects = connection.link().borrow().connects;
        let stream = tokio::select! {
            () = stop.cancelled() => break,
            stream = connection.stream().known() => stream,
        };
        if read.replace(stream).is_some_and(|before| before != stream) {
            // Of another one.
            place = Place::default();
        }
        let begun = Instant::now();
        let opened = tokio::select! {
            biased;
            opened = open(connection, &worker, stream, &mut place) => opened,
            reason = connection.consumer_denied(begun, R::NAME) => Err(reason.into()),
        };
        connection.note_reading(opened.as_ref().map(|_| ()));
        let reason = match opened {
            Ok((durable, mut messages, mut orders)) => {
                failures = 0;
                note_open(R::NAME, &warnings);
                let mut steps = Steps { connection, reader: R::NAME, reached: place.floor };
                let _asking = connection.ask(needs::<R>());
                tokio::select! {
                    reason = connection.consumer_denied(begun, R::NAME) => reason,
                    reason = pull(&mut messages, &mut orders, &lanes, &worker, &mut steps) => reason,
                    reason = watch::watch(&durable, &mut place.floor, &lanes, &worker) => reason,
                    // What the server sent into the old connection comes again after a while, behind newer ones.
                    () = connection.renewed(connects) => "the connection is a new one".to_owned(),
                    other = connection.stream().other_than(stream) => {
                        format!("the stream of events is {other} now, not {stream}")
                    }
                }
            }
            Err(error) => async_nats::Error::to_string(&error),
        };
        if stop.is_cancelled() {
            break;
        }
        failures += 1;
        let pause = Backoff { max: Duration::from_secs(2), ..Backoff::default() }.pause(failures);
        if let Some(held_back) = warnings.pass() {
            let consumer = R::NAME;
            tracing::warn!(consumer, reason, ?pause, held_back, "reaction opens its durable again");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
    lanes.drain().await;
}

/// Makes the durable anew, and opens it.
async fn open<R: Reaction>(
    connection: &Connection,
    worker: &Worker<R>,
    stream: StreamIdentity,
    place: &mut Place,
) -> Result<(PullConsumer, pull::Stream, Orders), async_nats::Error> {
    if !worker.is_active() {
        return Err(NOT_ACTIVE.into());
    }
    let orders = Orders::listen(connection, R::NAME).await?;
    let durable = durable::renew::<R>(connection, stream, place).await?;
    let messages = durable.messages().await?;
    Ok((durable, messages, orders))
}

/// What is published to while events are consumed.
fn needs<R: Reaction>() -> Vec<(String, &'static [u8])> {
    vec![
        (names::pull(names::EVENTS, R::NAME), NOTHING),
        (names::any_acknowledgement(names::EVENTS, R::NAME), PROGRESS),
    ]
}

fn note_open(consumer: &str, warnings: &Throttle) {
    if let Some(held_back) = warnings.over() {
        tracing::info!(consumer, held_back, "reaction has its durable");
    }
}

/// How far the durable has gone. It leaves out what the stream has lost.
struct Steps<'a> {
    connection: &'a Connection,
    reader: &'static str,
    reached: u64,
}

impl Steps<'_> {
    fn note(&mut self, message: &Message) {
        let Ok(to) = message.info().map(|info| info.stream_sequence) else { return };
        // What comes again is behind.
        if to > self.reached {
            let none = HeaderMap::new();
            let headers = message.headers.as_ref().unwrap_or(&none);
            self.connection.note_step(self.reader, self.reached, to, headers);
            self.reached = to;
        }
    }
}

/// Hands messages to their lanes until the stream of them breaks; tells why.
async fn pull<R: Reaction>(
    messages: &mut pull::Stream,
    orders: &mut Orders,
    lanes: &Lanes<Job>,
    worker: &Arc<Worker<R>>,
    steps: &mut Steps<'_>,
) -> String {
    loop {
        let message = tokio::select! {
            () = worker.stopping() => return "stopping".to_owned(),
            ordered = orders.next() => {
                let lane = ordered.order.subject.clone();
                submit(lane, Job::Redrive(Box::new(ordered)), lanes, worker);
                continue;
            }
            message = messages.next() => message,
        };
        match message {
            Some(Ok(message)) => {
                steps.note(&message);
                take(message, lanes, worker);
            }
            Some(Err(error)) => return error.to_string(),
            None => return "the durable's messages ended".to_owned(),
        }
    }
}

fn take<R: Reaction>(message: Message, lanes: &Lanes<Job>, worker: &Arc<Worker<R>>) {
    let Some(taken) = worker.take(message) else { return };
    submit(taken.subject().to_owned(), Job::Event(Box::new(taken)), lanes, worker);
}

/// Puts a job into the lane of its aggregate.
fn submit<R: Reaction>(lane: String, job: Job, lanes: &Lanes<Job>, worker: &Arc<Worker<R>>) {
    let worker = worker.clone();
    lanes.submit(lane, job, move |job| {
        let worker = worker.clone();
        async move {
            match job {
                Job::Event(taken) => worker.work(&taken).await,
                Job::Redrive(ordered) => {
                    let redriven = worker.redrive(&ordered.order.subject).await;
                    ordered.answer(&redriven).await;
                }
            }
        }
    });
}
