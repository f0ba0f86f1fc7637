//! Filling a generation beside the live one, and putting it in its place.

mod incoming;

use std::time::Duration;

use eventsourcing::StreamId;
use messaging::{
    Connection, Feed,
    consumer::{Backoff, DeadLetterError, DeadLetters, Rejected},
    feed::FeedError,
    names::EventSubject,
};
use tokio_util::sync::CancellationToken;

use self::incoming::{Batch, Incoming};
use crate::{
    NAME,
    catalog::{Database, Generation, State},
    live::{Current, Live},
    projector::fold,
    tables::{DatabaseError, Skipped, Step, Tables},
};

/// How close to the live generation, in positions, one must be for the switch: what is between the two is done while live
/// updates wait.
const NEAR: u64 = 1000;
/// How often the catalog is asked whether the generation is still wanted, and held.
const POLL: Duration = Duration::from_millis(250);
/// How many times in a row it may fail without getting any further.
const MAX_FAILURES: u32 = 30;

/// Why an attempt ended early; the next one goes on from where it was.
#[derive(Debug, thiserror::Error)]
enum RebuildError {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Feed(#[from] FeedError),
    #[error(transparent)]
    DeadLetter(#[from] DeadLetterError),
    #[error("the stream of events ended")]
    Ended,
}

/// How an attempt ended for good.
enum End {
    /// It is live.
    Switched,
    /// Somebody else is at it, or nobody wants it any more.
    NotOurs,
    Stopped,
}

/// Fills one generation.
pub(crate) struct Rebuild<D: Database> {
    live: Live<D>,
    feed: Feed,
    dead_letters: DeadLetters,
    number: i32,
    epoch: i64,
}

impl<D: Database> Rebuild<D> {
    pub(crate) fn new(connection: &Connection, live: &Live<D>, number: i32, epoch: i64) -> Self {
        Self {
            live: live.clone(),
            feed: Feed::new(connection.clone(), NAME),
            dead_letters: DeadLetters::new(connection.clone(), NAME),
            number,
            epoch,
        }
    }

    /// Until it is live, unwanted or has failed for good; after `stop` the next one goes on with it.
    pub(crate) async fn run(&self, stop: &CancellationToken) {
        let mut failures = 0;
        loop {
            let error = match self.attempt(stop, &mut failures).await {
                Ok(End::Switched) => {
                    return tracing::info!(number = self.number, "the rebuilt generation is live");
                }
                Ok(End::NotOurs | End::Stopped) => return,
                Err(error) => error,
            };
            failures += 1;
            let pause = Backoff::default().pause(failures);
            tracing::warn!(number = self.number, %error, failures, ?pause, "a rebuild tries again");
            if failures >= MAX_FAILURES {
                let (number, reason) = (self.number, error.to_string());
                let failed = State::Failed;
                let database = self.live.database();
                match database.change(number, State::Building, failed, Some(&reason)).await {
                    Ok(_) => return tracing::error!(number, reason, "the rebuild has failed"),
                    Err(error) => tracing::error!(%error, number, "noting the failure failed"),
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn attempt(
        &self,
        stop: &CancellationToken,
        failures: &mut u32,
    ) -> Result<End, RebuildError> {
        let tables = self.live.database().open(self.number).await?;
        let Some(position) = tables.fence(self.epoch).await? else { return Ok(End::NotOurs) };
        if position == 0 {
            tables.defer_search().await?;
        }
        tracing::info!(number = self.number, position, "a rebuild goes on");
        let mut incoming = Incoming::open(&self.feed, position).await?;
        let mut attempt = Attempt { rebuild: self, tables: tables.clone(), position };
        let end = attempt.run(&mut incoming, stop, failures).await;
        if !matches!(end, Ok(End::Switched)) {
            tables.close().await;
        }
        end
    }

    async fn generation(&self) -> Result<Option<Generation>, DatabaseError> {
        let generations = self.live.database().generations().await?;
        Ok(generations.into_iter().find(|generation| {
            generation.number == self.number && generation.state == State::Building
        }))
    }
}

struct Attempt<'a, D: Database> {
    rebuild: &'a Rebuild<D>,
    tables: D::Tables,
    position: u64,
}

impl<D: Database> Attempt<'_, D> {
    async fn run(
        &mut self,
        incoming: &mut Incoming,
        stop: &CancellationToken,
        failures: &mut u32,
    ) -> Result<End, RebuildError> {
        let live = &self.rebuild.live;
        let (mut poll, mut is_indexed) = (tokio::time::interval(POLL), false);
        let mut generation = self.rebuild.generation().await?;
        while let Some(wanted) = &generation {
            // One that is to be compared must not get ahead: there is nothing to compare it with.
            let limit = if wanted.verified { live.position() } else { u64::MAX };
            tokio::select! {
                () = stop.cancelled() => return Ok(End::Stopped),
                batch = incoming.next(limit) => {
                    if !self.apply(batch.ok_or(RebuildError::Ended)?).await? {
                        return Ok(End::NotOurs);
                    }
                    *failures = 0;
                }
                _ = poll.tick() => generation = self.rebuild.generation().await?,
            }
            let is_near = live.position() <= self.position.saturating_add(NEAR);
            if is_near && !is_indexed {
                is_indexed = true;
                if !self.tables.index(self.rebuild.epoch).await? {
                    return Ok(End::NotOurs);
                }
                tracing::info!(number = self.rebuild.number, "the search is made");
                // That took a while.
                continue;
            }
            if let Some(wanted) = generation.as_ref().filter(|wanted| is_near && !wanted.held) {
                if let Some(end) = self.switch(wanted, incoming).await? {
                    return Ok(end);
                }
                generation = self.rebuild.generation().await?;
            }
        }
        Ok(End::NotOurs)
    }

    /// Applies `batch`; `false` when another replica has taken over.
    async fn apply(&mut self, batch: Batch) -> Result<bool, DatabaseError> {
        let (mut changes, rejected) = fold(&self.tables, &batch.events).await?;
        for (position, subject, reason) in batch.unreadable {
            changes.skipped.push(Skipped { position: integer(position)?, subject, reason });
        }
        for Rejected { position, reason } in rejected {
            let event = batch.events.iter().find(|event| event.position == position);
            let stream =
                event.map(|event| StreamId::new(event.context.clone(), event.aggregate_id));
            let subject = stream.map(|stream| EventSubject(stream).to_string()).unwrap_or_default();
            changes.skipped.push(Skipped { position: integer(position)?, subject, reason });
        }
        let step = Step { from: self.position, to: batch.last, epoch: self.rebuild.epoch };
        let committed = self.tables.commit(&changes, step).await?;
        if committed {
            self.position = batch.last;
        }
        Ok(committed)
    }

    /// Catches up with the live generation while live updates wait, and takes its place. `None` when it was held.
    async fn switch(
        &mut self,
        wanted: &Generation,
        incoming: &mut Incoming,
    ) -> Result<Option<End>, RebuildError> {
        let live = &self.rebuild.live;
        let _turn = live.turn().await;
        let current = live.current();
        let goal = current.tables.position().await?;
        let limit = if wanted.verified { goal } else { u64::MAX };
        while self.position < goal {
            let batch = incoming.next(limit).await.ok_or(RebuildError::Ended)?;
            if !self.apply(batch).await? {
                return Ok(Some(End::NotOurs));
            }
        }
        // Whoever promotes one that was held for a reason has read the reason.
        let doubt = self.doubt(wanted, &current.tables).await?;
        if let Some(reason) = doubt.filter(|_| wanted.reason.is_none()) {
            tracing::warn!(number = wanted.number, reason, "the rebuilt generation is held");
            live.database().hold(wanted.number, true, Some(&reason)).await?;
            return Ok(None);
        }
        self.give_up().await?;
        if !live.database().switch(current.number, wanted.number).await? {
            return Ok(Some(End::NotOurs));
        }
        let (number, version) = (wanted.number, wanted.version);
        live.set(Current { number, version, tables: self.tables.clone() });
        live.announce(self.position);
        Ok(Some(End::Switched))
    }

    /// Why it should not take the place of the live generation by itself.
    async fn doubt(
        &self,
        wanted: &Generation,
        live: &D::Tables,
    ) -> Result<Option<String>, RebuildError> {
        let mut lost = 0;
        for skipped in self.tables.skipped().await? {
            lost += u64::from(!self.is_dead(&skipped).await?);
        }
        if lost > 0 {
            return Ok(Some(format!(
                "{lost} events that the live generation has could not be applied"
            )));
        }
        if wanted.verified {
            let (ours, theirs) = (self.tables.digest().await?, live.digest().await?);
            if ours != theirs {
                return Ok(Some("its rows differ from those of the live generation".to_owned()));
            }
            tracing::info!(
                number = wanted.number,
                position = ours.position,
                "the rebuilt generation equals the live one row for row"
            );
        }
        Ok(None)
    }

    /// Whether what was skipped is among the dead letters: then the live generation does not have it either.
    async fn is_dead(&self, skipped: &Skipped) -> Result<bool, DeadLetterError> {
        let range = self.rebuild.dead_letters.range(&skipped.subject).await?;
        let position = u64::try_from(skipped.position).unwrap_or_default();
        Ok(range.is_some_and(|(first, last)| (first..=last).contains(&position)))
    }

    /// Makes dead letters of what was skipped, as the live generation would have.
    async fn give_up(&self) -> Result<(), RebuildError> {
        for skipped in self.tables.skipped().await? {
            if self.is_dead(&skipped).await? {
                continue;
            }
            let before = u64::try_from(skipped.position).unwrap_or_default().saturating_sub(1);
            for message in self.rebuild.feed.page(before, 1, 1).await? {
                self.rebuild.dead_letters.store(&message, &skipped.reason).await?;
            }
        }
        Ok(())
    }
}

fn integer(position: u64) -> Result<i64, DatabaseError> {
    i64::try_from(position).map_err(|error| DatabaseError::Encode(error.into()))
}
