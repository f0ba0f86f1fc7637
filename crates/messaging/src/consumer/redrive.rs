//! Trying dead letters again, by the consumer that gave up on them: with the code and the record that it has today.

use std::time::Duration;

use async_nats::{PublishError, RequestErrorKind, Subject, Subscriber, client::Request};
use eventsourcing::object;
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};

use crate::{Connection, Throttle, names, refused};

/// How long an aggregate's dead letters may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long an order goes on with another one: well below that.
pub(crate) const BUDGET: Duration = Duration::from_secs(20);
/// How many dead letters one order is about: a projector stands still meanwhile.
pub(crate) const MAX_AT_ONCE: usize = 200;
/// Held back: what each order may be the reason for.
static NO_ORDER: Throttle = Throttle::new();
static UNANSWERED: Throttle = Throttle::new();

/// Which dead letters: those of one aggregate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    /// The subject of the aggregate's events.
    pub subject: String,
}

/// What became of an aggregate's dead letters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redriven {
    /// How many are done, and gone from the dead letters.
    pub done: u64,
    /// Why the next one still fails, if one does; it stays, and those behind it.
    pub failure: Option<String>,
}

/// No word from the consumer.
#[derive(Debug, thiserror::Error)]
pub enum RedriveError {
    /// It does not run.
    #[error("{0} is not running")]
    NotRunning(String),
    /// It is still at it, or cut off; asking again is safe.
    #[error("{0} did not answer in time; redriving again is safe")]
    TimedOut(String),
    /// It does not understand the order.
    #[error("{consumer} does not understand the order; is it of another release? {reason}")]
    Refused {
        /// The consumer.
        consumer: String,
        /// What its parser said.
        reason: String,
    },
    /// It said something else than expected.
    #[error("the answer of {consumer} cannot be read: {reason}")]
    Malformed {
        /// The consumer.
        consumer: String,
        /// What the parser said.
        reason: String,
    },
}

/// Has `consumer` try its dead letters from `subject` again, oldest first, until one fails, two hundred are done, or that
/// takes long. When none is done and none fails, there is none.
///
/// # Errors
/// See [`RedriveError`].
pub async fn redrive(
    connection: &Connection,
    consumer: &str,
    subject: &str,
) -> Result<Redriven, RedriveError> {
    let malformed = |error: serde_json::Error| RedriveError::Malformed {
        consumer: consumer.to_owned(),
        reason: error.to_string(),
    };
    let order = Order { subject: subject.to_owned() };
    let payload = serde_json::to_vec(&order).map_err(malformed)?;
    let request = Request::new().payload(payload.into()).timeout(Some(PATIENCE));
    let answer = connection.client.send_request(names::redrive(consumer), request).await;
    let answer = answer.map_err(|error| match error.kind() {
        RequestErrorKind::NoResponders => RedriveError::NotRunning(consumer.to_owned()),
        _ => RedriveError::TimedOut(consumer.to_owned()),
    })?;
    if let Some(reason) = refused::reason(&answer) {
        return Err(RedriveError::Refused { consumer: consumer.to_owned(), reason });
    }
    serde_json::from_slice(&answer.payload).map_err(malformed)
}

/// A consumer's side: the orders that it gets.
pub(crate) struct Orders {
    connection: Connection,
    requests: Subscriber,
}

/// An order, and who waits for what becomes of it.
pub(crate) struct Ordered {
    pub order: Order,
    connection: Connection,
    reply: Subject,
}

impl Orders {
    /// Listens for orders to `consumer`.
    pub async fn listen(
        connection: &Connection,
        consumer: &str,
    ) -> Result<Self, async_nats::Error> {
        let subject = names::redrive(consumer);
        let requests = connection.client.queue_subscribe(subject, consumer.to_owned()).await?;
        Ok(Self { connection: connection.clone(), requests })
    }

    async fn refuse(&self, reply: Subject, error: &serde_json::Error) {
        if let Some(held_back) = NO_ORDER.pass() {
            tracing::warn!(held_back, "an order to redrive that is none was refused");
        }
        note_unanswered(refused::answer(&self.connection, reply, error).await);
    }

    /// The next order. Safe to cancel: what may get lost is the answer to what is none.
    pub async fn next(&mut self) -> Ordered {
        loop {
            let Some(request) = self.requests.next().await else {
                // The client is gone, and with it whoever orders.
                std::future::pending::<()>().await;
                continue;
            };
            let reply = request.reply.clone().filter(|reply| names::is_inbox(reply));
            let Some(reply) = reply else { continue };
            match object::read(&request.payload) {
                Ok(order) => return Ordered { order, connection: self.connection.clone(), reply },
                Err(error) => self.refuse(reply, &error).await,
            }
        }
    }
}

impl Ordered {
    /// Tells what became of it.
    pub async fn answer(self, redriven: &Redriven) {
        tracing::info!(
            subject = self.order.subject,
            done = redriven.done,
            failure = redriven.failure,
            "dead letters redriven"
        );
        let payload = serde_json::to_vec(redriven).unwrap_or_default();
        note_unanswered(self.connection.client.publish(self.reply, payload.into()).await);
    }
}

fn note_unanswered(answered: Result<(), PublishError>) {
    if let Err(error) = answered
        && let Some(held_back) = UNANSWERED.pass()
    {
        tracing::warn!(%error, held_back, "answering an order failed");
    }
}
