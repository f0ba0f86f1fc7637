mod error;
mod origin;
mod redriving;
mod watch;

use std::{
    error::Error,
    future::Future,
    time::{Duration, Instant},
};

use eventsourcing::RecordedEvent;
use tokio_util::sync::CancellationToken;

use self::{
    error::BatchError,
    watch::{Look, Watch},
};
pub use self::{
    error::ConsumerError,
    origin::{Landmark, relate},
};
use super::{
    Backoff, Batch, DeadLetterBox, DeadLetters, Incoming, metrics::ConsumerMetrics, redrive::Orders,
};
use crate::{Connection, Mark, Suspicion, Throttle, feed::Feed};

/// From how many events on in one transaction nobody wants a line for each.
const MANY: usize = 500;

/// The pauses between attempts: short ones, since only its own database and the stream are asked, and whatever kept it from
/// writing shall be over within seconds of its cause.
const PAUSES: Backoff = Backoff { base: Duration::from_millis(100), max: Duration::from_secs(2) };

/// An event that can never be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Its position.
    pub position: u64,
    /// Its subject.
    pub subject: String,
    /// Why.
    pub reason: String,
}

/// Folds events into tables of its own.
pub trait Projector: Send + Sync + 'static {
    /// Its name: in the dead letters, the metrics and the database. Renaming it consumes everything again.
    const NAME: &'static str;
    /// What a batch of events changes in the tables.
    type Changes: Send;
    /// Why the database could not be used; the runner tries again.
    type Error: Error + Send + Sync + 'static;

    /// The position of the last event in the tables; 0 when there is none.
    fn position(&self) -> impl Future<Output = Result<u64, Self::Error>> + Send;

    /// Which stream the tables are of, and when the event at their position was stored; `None` when nobody noted that yet.
    fn mark(&self) -> impl Future<Output = Result<Option<Mark>, Self::Error>> + Send {
        async { Ok(None) }
    }

    /// An event that the tables certainly have, by which tables without a mark are compared with the stream.
    fn landmark(&self) -> impl Future<Output = Result<Option<Landmark>, Self::Error>> + Send {
        async { Ok(None) }
    }

    /// Notes that the tables, as they are, are of the stream of `mark`. Answers whether it did: not when somebody else
    /// writes now, or the position is another.
    fn adopt(&self, mark: &Mark) -> impl Future<Output = Result<bool, Self::Error>> + Send {
        let _ = mark;
        async { Ok(true) }
    }

    /// Whether a message of `subject` concerns it when it cannot be read as an event.
    fn hears(&self, subject: &str) -> bool {
        let _ = subject;
        true
    }

    /// What `events` change, in this order, and which of them cannot be applied: those go to the dead letters, as do those
    /// between them that are `unreadable`.
    ///
    /// It reads the tables and changes nothing. An event that is in the tables already, which comes again after a redrive,
    /// changes nothing either.
    fn fold(
        &self,
        events: &[RecordedEvent],
        unreadable: &[Rejected],
    ) -> impl Future<Output = Result<(Self::Changes, Vec<Rejected>), Self::Error>> + Send;

    /// Writes `changes` and moves the position from `from` to `to`, all in one transaction.
    ///
    /// Answers whether it did: when the position is not `from` any more, the tables are of another stream than `to`, or
    /// somebody else writes now, nothing may change. A step from a position to itself is a redrive: it must be on disk, since the stream does not bring the event
    /// again.
    fn commit(
        &self,
        changes: Self::Changes,
        from: u64,
        to: Mark,
    ) -> impl Future<Output = Result<bool, Self::Error>> + Send;
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
        metrics: ConsumerMetrics::new(P::NAME),
        warnings: Throttle::new(),
    };
    runner.keep_running(stop).await
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
    metrics: ConsumerMetrics,
    warnings: Throttle,
}

impl<P: Projector> Runner<'_, P> {
    async fn keep_running(&self, stop: &CancellationToken) -> Result<(), ConsumerError> {
        let mut failures = 0;
        loop {
            let end = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                end = self.run(stop, &mut failures) => end,
            };
            let reason = match end {
                RunEnd::Stopped => return Ok(()),
                RunEnd::Fatal(error) => return Err(error),
                RunEnd::Again(reason) => reason,
            };
            failures += 1;
            self.metrics.retried();
            let pause = PAUSES.pause(failures);
            if let Some(held_back) = self.warnings.pass() {
                tracing::warn!(
                    consumer = P::NAME,
                    reason,
                    ?pause,
                    held_back,
                    "projection tries again"
                );
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// From the position in the database on, until something goes wrong.
    async fn run(&self, stop: &CancellationToken, failures: &mut u32) -> RunEnd {
        let mut mark = match self.recognise().await {
            Ok(Ok(mark)) => mark,
            Ok(Err(fatal)) => return RunEnd::Fatal(fatal),
            Err(error) => return RunEnd::Again(error.to_string()),
        };
        let mut incoming = match Incoming::open(&self.feed, mark, *failures).await {
            Ok(incoming) => incoming,
            Err(error) => return RunEnd::Again(error.to_string()),
        };
        let mut orders = match Orders::listen(&self.connection, P::NAME).await {
            Ok(orders) => orders,
            Err(error) => return RunEnd::Again(error.to_string()),
        };
        let position = mark.position;
        tracing::info!(consumer = P::NAME, position, stream = %mark.stream, "projection starts");
        let mut watch = Watch::new(self.feed.clone());
        while !stop.is_cancelled() {
            let batch = tokio::select! {
                batch = incoming.next(u64::MAX) => match batch {
                    Ok(batch) => batch,
                    Err(error) => return RunEnd::Again(error.to_string()),
                },
                () = watch.time() => {
                    match self.check(&mut watch, mark.position).await {
                        Look::AtTheEnd => self.note_success(failures),
                        Look::OnTheWay => {}
                        Look::BeginAgain(reason) => return RunEnd::Again(reason),
                    }
                    continue;
                }
                // Between two batches: no event of the aggregate may come in between.
                ordered = orders.next() => {
                    let redriven = self.redrive(mark, &ordered.order.subject).await;
                    ordered.answer(&redriven).await;
                    continue;
                }
            };
            match self.apply(mark, batch).await {
                Ok(to) => mark = to,
                Err(error) => return RunEnd::Again(error.to_string()),
            }
            self.note_success(failures);
        }
        RunEnd::Stopped
    }

    fn note_success(&self, failures: &mut u32) {
        *failures = 0;
        if let Some(held_back) = self.warnings.over() {
            tracing::info!(consumer = P::NAME, held_back, "projection goes on");
        }
    }

    /// Looks at the tables and the stream.
    async fn check(&self, watch: &mut Watch, position: u64) -> Look {
        match self.projector.position().await {
            // A database that crashed may have lost its last moments, and nobody else tells.
            Ok(actual) if actual != position => {
                Look::BeginAgain(format!("the tables are at position {actual}, not {position}"))
            }
            Ok(_) => watch.look(position).await,
            Err(error) => Look::BeginAgain(error.to_string()),
        }
    }

    /// Applies `batch` behind `from` in one transaction; tells the new mark.
    async fn apply(&self, from: Mark, batch: Batch) -> Result<Mark, BatchError<P::Error>> {
        let (to, start) = (batch.end(from), Instant::now());
        let Batch { events, unreadable, .. } = batch;
        let unreadable: Vec<_> =
            unreadable.into_iter().filter(|one| self.projector.hears(&one.subject)).collect();
        let folded = self.projector.fold(&events, &unreadable).await;
        let (changes, mut rejected) = folded.map_err(BatchError::Database)?;
        for Rejected { subject, .. } in &rejected {
            // It may not follow what is before it because that is missing.
            self.connection.suspect(P::NAME, Suspicion::Aggregate(subject.clone()));
        }
        let messages = events.len() + unreadable.len();
        rejected.extend(unreadable);
        rejected.sort_by_key(|rejected| rejected.position);
        // Stored before the position moves on: a crash in between stores it again, never loses it.
        for Rejected { position, reason, .. } in &rejected {
            let stored = self.feed.page(position.saturating_sub(1), 1, 1).await?;
            for message in stored.iter().filter(|message| message.position == *position) {
                self.dead_letters.give_up(message, reason).await?;
            }
        }
        let committed = self.projector.commit(changes, from.position, to).await;
        if !committed.map_err(BatchError::Database)? {
            return Err(BatchError::Overtaken);
        }
        self.metrics.attempted(start.elapsed());
        self.metrics.all_handled(messages);
        report(P::NAME, messages, to.position, &events);
        Ok(to)
    }
}

fn report(name: &'static str, messages: usize, position: u64, events: &[RecordedEvent]) {
    // So many mean catching up, whose lines nobody wants to pay for.
    if messages >= MANY {
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
