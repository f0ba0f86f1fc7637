//! Filling a generation beside the live one, and putting it in its place.

mod loss;
mod origin;

use std::time::Duration;

use eventsourcing::StoreError;
use messaging::{
    Connection, Feed, Mark, Throttle,
    consumer::{
        Backoff, Batch, DeadLetterBox, DeadLetterError, DeadLetters, Incoming, IncomingError,
        Rejected,
    },
    feed::FeedError,
};
use tokio_util::sync::CancellationToken;

use crate::{
    catalog::{Database, Generation, State},
    live::{Current, Live},
    model::{DatabaseError, ReadModel},
    projector::{fold, hears},
    tables::{Step, Tables},
};

/// How close to the live generation, in positions, one must be for the switch: what is between the two is done while live
/// updates wait.
const NEAR: u64 = 1000;
/// How often the catalog is asked whether the generation is still wanted, and held.
const POLL: Duration = Duration::from_millis(250);
/// How many times in a row it may fail without getting any further.
const MAX_FAILURES: u32 = 30;
/// How many events may be missing at most: more is a mistake in the code rather than in the events.
const MAX_SKIPPED: i64 = 1000;

/// Why an attempt ended early; the next one goes on from where it was.
#[derive(Debug, thiserror::Error)]
enum RebuildError {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Feed(#[from] FeedError),
    #[error(transparent)]
    DeadLetter(#[from] DeadLetterError),
    #[error(transparent)]
    Stream(#[from] StoreError),
    #[error(transparent)]
    Incoming(#[from] IncomingError),
    #[error("another replica has moved the position")]
    Overtaken,
}

/// How an attempt ended for good.
enum End {
    /// It is live.
    Switched,
    /// Somebody else is at it, or nobody wants it any more.
    NotOurs,
}

/// Fills one generation.
pub(crate) struct Rebuild<D: Database> {
    connection: Connection,
    live: Live<D>,
    feed: Feed,
    dead_letters: DeadLetters,
    letters: DeadLetterBox,
    number: i32,
    epoch: i64,
}

impl<D: Database> Rebuild<D> {
    pub(crate) fn new(connection: &Connection, live: &Live<D>, number: i32, epoch: i64) -> Self {
        let consumer = <D::Model>::NAMES.consumer;
        // What its consumer is called on the server: the live generation has its own.
        let rebuild = format!("{consumer}-rebuild");
        Self {
            connection: connection.clone(),
            live: live.clone(),
            feed: Feed::new(connection.clone(), &rebuild),
            dead_letters: DeadLetters::new(connection.clone(), consumer),
            letters: DeadLetterBox::new(connection.clone()),
            number,
            epoch,
        }
    }

    /// Until it is live, unwanted or has failed for good; after `stop` the next one goes on with it.
    pub(crate) async fn run(&self, stop: &CancellationToken) {
        let mut failures = 0;
        let warnings = Throttle::new();
        loop {
            // Whatever it waits for: a transaction that is dropped changes nothing.
            let end = tokio::select! {
                () = stop.cancelled() => return,
                end = self.attempt(&mut failures) => end,
            };
            let error = match end {
                Ok(End::Switched) => {
                    return tracing::info!(number = self.number, "the rebuilt generation is live");
                }
                Ok(End::NotOurs) => return,
                Err(error) => error,
            };
            failures += 1;
            let pause = Backoff::default().pause(failures);
            let number = self.number;
            if let Some(held_back) = warnings.pass() {
                tracing::warn!(number, %error, failures, ?pause, held_back, "a rebuild tries again");
            }
            if failures >= MAX_FAILURES {
                let reason = error.to_string();
                let failed = State::Failed;
                let database = self.live.database();
                match database.change(number, State::Building, failed, Some(&reason)).await {
                    Ok(_) => return tracing::error!(number, reason, "the rebuild has failed"),
                    Err(error) => tracing::debug!(%error, number, "noting the failure failed"),
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn attempt(&self, failures: &mut u32) -> Result<End, RebuildError> {
        // Tables that nobody wants any more must not be made again.
        if self.generation().await?.is_none() {
            return Ok(End::NotOurs);
        }
        let tables = self.live.database().open(self.number).await?;
        let Some(position) = tables.fence(self.epoch).await? else { return Ok(End::NotOurs) };
        let Some(mark) = self.recognise(&tables, position).await? else {
            tables.close().await;
            return Ok(End::NotOurs);
        };
        if position == 0 {
            tables.defer_search(self.epoch).await?;
        }
        tracing::info!(number = self.number, position, "a rebuild goes on");
        let mut incoming = Incoming::open(&self.feed, mark, *failures).await?;
        let mut attempt = Attempt { rebuild: self, tables: tables.clone(), mark };
        let end = attempt.run(&mut incoming, failures).await;
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
    mark: Mark,
}

impl<D: Database> Attempt<'_, D> {
    async fn run(
        &mut self,
        incoming: &mut Incoming,
        failures: &mut u32,
    ) -> Result<End, RebuildError> {
        let live = &self.rebuild.live;
        let (mut poll, mut is_indexed) = (tokio::time::interval(POLL), false);
        let mut generation = self.rebuild.generation().await?;
        while let Some(wanted) = &generation {
            // One that is to be compared must not get ahead: there is nothing to compare it with.
            let is_compared = wanted.verified && !live.is_foreign();
            let limit = if is_compared { live.position() } else { u64::MAX };
            tokio::select! {
                batch = incoming.next(limit) => {
                    if !self.apply(batch?).await? {
                        return Ok(End::NotOurs);
                    }
                    *failures = 0;
                }
                _ = poll.tick() => generation = self.rebuild.generation().await?,
            }
            let is_near = self.is_near().await?;
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
        let hears = |one: &&Rejected| hears::<D::Model>(&one.subject);
        let unreadable: Vec<_> = batch.unreadable.iter().filter(hears).cloned().collect();
        let (changes, _) = fold(&self.tables, &batch.events, &unreadable).await?;
        let to = batch.end(self.mark);
        let step = Step { from: self.mark.position, to, epoch: self.rebuild.epoch };
        let committed = self.tables.commit(&changes, step).await?;
        if committed {
            self.mark = to;
        }
        Ok(committed)
    }

    /// Takes the place of the live generation, or is held. `None` when there is more to do first.
    async fn switch(
        &mut self,
        wanted: &Generation,
        incoming: &mut Incoming,
    ) -> Result<Option<End>, RebuildError> {
        // Whoever promotes one that was held for a reason has read the reason.
        let is_seen = wanted.reason.is_some();
        let known = self.tables.count_skipped().await?;
        if !is_seen && known > MAX_SKIPPED {
            self.hold(wanted, &format!("{known} events could not be applied")).await?;
            return Ok(None);
        }
        self.give_up().await?;
        let live = &self.rebuild.live;
        // Live updates wait from here on, and so does whoever waits for them.
        let _turn = live.turn().await;
        let current = live.current();
        // What another stream has is no goal.
        let is_foreign = live.is_foreign();
        let goal = if is_foreign { 0 } else { current.tables.position().await? };
        if !self.catch_up(goal, wanted.verified, incoming).await? {
            return Ok(Some(End::NotOurs));
        }
        if self.tables.count_skipped().await? != known {
            return Ok(None);
        }
        if !is_seen
            && !is_foreign
            && let Some(reason) = self.objection(wanted, &current.tables).await?
        {
            self.hold(wanted, &reason).await?;
            return Ok(None);
        }
        let epoch = self.rebuild.epoch;
        if !live.database().switch(current.number, wanted.number, epoch).await? {
            return Ok(Some(End::NotOurs));
        }
        let (number, version) = (wanted.number, wanted.version);
        let current = Current { number, version, tables: self.tables.clone() };
        live.set(current, self.mark.position);
        Ok(Some(End::Switched))
    }

    async fn hold(&self, wanted: &Generation, reason: &str) -> Result<(), DatabaseError> {
        tracing::warn!(number = wanted.number, reason, "the rebuilt generation is held");
        self.rebuild.live.database().hold(wanted.number, true, Some(reason)).await
    }

    /// Applies what there is up to the position `goal`, or just behind it; `false` when another replica has taken over.
    async fn catch_up(
        &mut self,
        goal: u64,
        exactly: bool,
        incoming: &mut Incoming,
    ) -> Result<bool, RebuildError> {
        let limit = if exactly { goal } else { u64::MAX };
        while self.mark.position < goal {
            let batch = incoming.next(limit).await?;
            if !self.apply(batch).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
