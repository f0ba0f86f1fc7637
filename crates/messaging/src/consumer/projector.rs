use std::{error::Error, future::Future};

use eventsourcing::RecordedEvent;
use tokio_util::sync::CancellationToken;

use super::{
    Backoff, DeadLetterBox, DeadLetters, Redriven,
    redrive::{MAX_AT_ONCE, Orders},
};
use crate::{
    Connection,
    feed::{Feed, FeedError, FeedReader, StreamMessage},
};

/// How many events one transaction takes at most.
const MAX_BATCH: usize = 500;

/// What a projector makes of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is in, or it is none of the projector's business.
    Applied,
    /// It can never be applied; says why. It goes to the dead letters and the projection goes on.
    GiveUp(String),
}

/// Folds events into tables of its own.
pub trait Projector: Send + Sync + 'static {
    /// Its name: in the dead letters, the metrics and the database. Renaming it consumes everything again.
    const NAME: &'static str;
    /// A transaction of its database. Dropping it changes nothing.
    type Transaction: Send;
    /// Why the database could not be used; the runner tries again.
    type Error: Error + Send + Sync + 'static;

    /// The position of the last event in the tables; 0 when there is none.
    fn position(&self) -> impl Future<Output = Result<u64, Self::Error>> + Send;

    /// Begins a transaction.
    fn begin(&self) -> impl Future<Output = Result<Self::Transaction, Self::Error>> + Send;

    /// Applies one event in `transaction`. One that is in already, which comes again after a redrive, changes nothing.
    fn apply(
        &self,
        transaction: &mut Self::Transaction,
        event: &RecordedEvent,
    ) -> impl Future<Output = Result<Verdict, Self::Error>> + Send;

    /// Moves the position from `from` to `to` and commits, all in one.
    ///
    /// Answers whether it did: when the position is not `from` any more, another replica was faster, and
    /// nothing may change.
    fn commit(
        &self,
        transaction: Self::Transaction,
        from: u64,
        to: u64,
    ) -> impl Future<Output = Result<bool, Self::Error>> + Send;
}

/// A consumer cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ConsumerError {
    /// The tables are ahead of the stream: they were built from another one.
    #[error(
        "{name} is at position {position}, but the stream ends at {last}: its database belongs to another stream"
    )]
    AheadOfStream {
        /// The consumer.
        name: &'static str,
        /// The position in its tables.
        position: u64,
        /// The last position of the stream.
        last: u64,
    },
}

/// Why a batch was not committed; the runner tries again.
#[derive(Debug, thiserror::Error)]
enum BatchError<E: Error + 'static> {
    #[error("the database failed: {0}")]
    Database(#[source] E),
    #[error("the stream failed: {0}")]
    Feed(#[from] FeedError),
    #[error("{0}")]
    DeadLetter(#[from] super::DeadLetterError),
    #[error("another replica has moved the position")]
    Overtaken,
}

/// Keeps `projector` up to date until `stop`.
///
/// # Errors
/// Only what trying again cannot mend: see [`ConsumerError`].
pub async fn run_projector<P: Projector>(
    connection: &Connection,
    projector: &P,
    stop: &CancellationToken,
) -> Result<(), ConsumerError> {
    let runner = Runner {
        projector,
        feed: Feed::new(connection.clone(), P::NAME),
        dead_letters: DeadLetters::new(connection.clone(), P::NAME),
        letters: DeadLetterBox::new(connection.clone()),
        connection: connection.clone(),
    };
    let mut failures = 0;
    loop {
        let error = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            error = runner.run(stop, &mut failures) => error,
        };
        match error {
            RunEnd::Stopped => return Ok(()),
            RunEnd::Fatal(error) => return Err(error),
            RunEnd::Again(reason) => {
                failures += 1;
                metrics::counter!("consumer_retries_total", "consumer" => P::NAME).increment(1);
                let pause = Backoff::default().pause(failures);
                tracing::warn!(consumer = P::NAME, reason, ?pause, "projection tries again");
                tokio::select! {
                    () = stop.cancelled() => return Ok(()),
                    () = tokio::time::sleep(pause) => {}
                }
            }
        }
    }
}

enum RunEnd {
    Stopped,
    Fatal(ConsumerError),
    Again(String),
}

struct Runner<'a, P> {
    projector: &'a P,
    feed: Feed,
    dead_letters: DeadLetters,
    letters: DeadLetterBox,
    connection: Connection,
}

impl<P: Projector> Runner<'_, P> {
    /// From the position in the database on, until something goes wrong.
    async fn run(&self, stop: &CancellationToken, failures: &mut u32) -> RunEnd {
        let mut position = match self.projector.position().await {
            Ok(position) => position,
            Err(error) => return RunEnd::Again(error.to_string()),
        };
        let mut reader = match self.open(position).await {
            Ok(Ok(reader)) => reader,
            Ok(Err(fatal)) => return RunEnd::Fatal(fatal),
            Err(error) => return RunEnd::Again(error.to_string()),
        };
        let mut orders = match Orders::listen(&self.connection, P::NAME).await {
            Ok(orders) => orders,
            Err(error) => return RunEnd::Again(error.to_string()),
        };
        tracing::info!(consumer = P::NAME, position, "projection starts");
        while !stop.is_cancelled() {
            let batch = tokio::select! {
                batch = reader.next_batch(MAX_BATCH) => batch,
                // Between two batches: no event of the aggregate may come in between.
                ordered = orders.next() => {
                    let redriven = self.redrive(position, &ordered.order.subject).await;
                    ordered.answer(&redriven).await;
                    continue;
                }
            };
            match self.apply(position, &batch).await {
                Ok(to) => position = to,
                Err(error) => return RunEnd::Again(error.to_string()),
            }
            *failures = 0;
        }
        RunEnd::Stopped
    }

    async fn open(&self, position: u64) -> Result<Result<FeedReader, ConsumerError>, FeedError> {
        let last = self.feed.last_position().await?;
        if position > last {
            let name = P::NAME;
            return Ok(Err(ConsumerError::AheadOfStream { name, position, last }));
        }
        Ok(Ok(self.feed.after(position).await?))
    }

    /// Tries the dead letters from `subject` again, oldest first, until one fails.
    async fn redrive(&self, position: u64, subject: &str) -> Redriven {
        let mut redriven = Redriven::default();
        while redriven.done < MAX_AT_ONCE {
            match self.redrive_first(position, subject).await {
                Ok(None) => return redriven,
                Ok(Some(Verdict::Applied)) => redriven.done += 1,
                Ok(Some(Verdict::GiveUp(reason))) => {
                    return Redriven { failure: Some(reason), ..redriven };
                }
                Err(error) => return Redriven { failure: Some(error.to_string()), ..redriven },
            }
        }
        redriven
    }

    /// Applies the oldest dead letter from `subject`, if there is one, and takes it out.
    ///
    /// Committed first: after a crash in between it is tried again, and the projector finds that it has it.
    async fn redrive_first(
        &self,
        position: u64,
        subject: &str,
    ) -> Result<Option<Verdict>, BatchError<P::Error>> {
        let Some(letter) = self.letters.first(P::NAME, subject).await? else { return Ok(None) };
        let event = match letter.message.event() {
            Ok(event) => event,
            Err(error) => return Ok(Some(Verdict::GiveUp(error.to_string()))),
        };
        let mut transaction = self.projector.begin().await.map_err(BatchError::Database)?;
        let verdict = self.projector.apply(&mut transaction, &event).await;
        let verdict = verdict.map_err(BatchError::Database)?;
        if verdict == Verdict::Applied {
            let committed = self.projector.commit(transaction, position, position).await;
            if !committed.map_err(BatchError::Database)? {
                return Err(BatchError::Overtaken);
            }
            self.letters.remove(letter.sequence).await?;
        }
        Ok(Some(verdict))
    }

    /// Applies `batch` behind `from` in one transaction; tells the new position.
    async fn apply(&self, from: u64, batch: &[StreamMessage]) -> Result<u64, BatchError<P::Error>> {
        let Some(to) = batch.last().map(|message| message.position) else { return Ok(from) };
        let mut transaction = self.projector.begin().await.map_err(BatchError::Database)?;
        let mut events = Vec::with_capacity(batch.len());
        for message in batch {
            let verdict = match message.event() {
                Ok(event) => {
                    let applied = self.projector.apply(&mut transaction, &event).await;
                    events.push(event);
                    applied.map_err(BatchError::Database)?
                }
                Err(error) => Verdict::GiveUp(error.to_string()),
            };
            // Stored before the position moves on: a crash in between stores it again, never loses it.
            if let Verdict::GiveUp(reason) = verdict {
                self.dead_letters.store(message, &reason).await?;
            }
        }
        let committed =
            self.projector.commit(transaction, from, to).await.map_err(BatchError::Database)?;
        if !committed {
            return Err(BatchError::Overtaken);
        }
        report(P::NAME, batch.len(), to, &events);
        Ok(to)
    }
}

fn report(name: &'static str, messages: usize, position: u64, events: &[RecordedEvent]) {
    metrics::counter!("consumer_events_total", "consumer" => name).increment(messages as u64);
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    metrics::gauge!("consumer_position", "consumer" => name).set(position as f64);
    // A full batch means catching up, whose lines nobody wants to pay for.
    if messages == MAX_BATCH {
        return tracing::info!(consumer = name, event.position = position, "catching up");
    }
    for event in events {
        tracing::info!(
            consumer = name,
            event.id = %event.event.id,
            event.type = event.event.event_type,
            event.position = event.position,
            correlation.id = %event.event.metadata.correlation_id,
            traceparent = event.event.metadata.traceparent,
            "event projected"
        );
    }
}
