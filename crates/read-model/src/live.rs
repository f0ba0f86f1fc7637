//! The generation that answers queries, and how far it is.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{
    sync::{Mutex, OwnedMutexGuard, watch},
    time::Instant,
};

use crate::{
    catalog::{Database, Generation, State},
    commits::Commits,
    model::{DatabaseError, ReadModel},
    tables::{Seen, Tables},
    verdict::Verdict,
};

/// How often a database is asked for its position by whoever waits for one that another process writes.
const POLL: Duration = Duration::from_millis(10);

/// Handle on the live generation. Cheap to clone.
#[derive(Debug)]
pub(crate) struct Live<D: Database>(Arc<Inner<D>>);

impl<D: Database> Clone for Live<D> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

#[derive(Debug)]
struct Inner<D: Database> {
    database: D,
    current: watch::Sender<Arc<Current<D::Tables>>>,
    /// The position that was seen last: tables are at least as far, but for a moment after a crash of their database.
    position: watch::Sender<u64>,
    /// Whose turn it is to write: batches, or a switch between generations.
    turn: Arc<Mutex<()>>,
    /// Who asks the database for its position: one on behalf of all who wait.
    poll: Mutex<()>,
    /// Whether what is live is of the stream that is there.
    verdict: watch::Sender<Verdict>,
    commits: Commits,
}

/// The live generation.
#[derive(Debug)]
pub(crate) struct Current<T> {
    pub number: i32,
    pub version: i64,
    pub tables: T,
}

impl<D: Database> Live<D> {
    /// Opens the generation of `database` that is live.
    pub(crate) async fn open(database: D) -> Result<Self, DatabaseError> {
        let generation = live(&database).await?;
        let current = open(&database, &generation).await?;
        let position = current.tables.position().await?;
        Ok(Self(Arc::new(Inner {
            database,
            current: watch::Sender::new(Arc::new(current)),
            position: watch::Sender::new(position),
            turn: Arc::default(),
            poll: Mutex::default(),
            verdict: watch::Sender::new(Verdict::Unknown),
            commits: Commits::default(),
        })))
    }

    pub(crate) fn database(&self) -> &D {
        &self.0.database
    }

    /// What became of the attempts to write it.
    pub(crate) fn commits(&self) -> &Commits {
        &self.0.commits
    }

    /// The generation that is live now.
    pub(crate) fn current(&self) -> Arc<Current<D::Tables>> {
        self.0.current.borrow().clone()
    }

    /// The position that was seen last.
    pub(crate) fn position(&self) -> u64 {
        *self.0.position.borrow()
    }

    /// Waits until nobody else writes; nobody else does as long as the guard is held.
    pub(crate) async fn turn(&self) -> OwnedMutexGuard<()> {
        self.0.turn.clone().lock_owned().await
    }

    /// Whether what is live is of the stream that is there, as it was found last.
    pub(crate) fn verdict(&self) -> &watch::Sender<Verdict> {
        &self.0.verdict
    }

    /// Whether what is live is of another stream than the one that is there.
    pub(crate) fn is_foreign(&self) -> bool {
        self.0.verdict.borrow().is_foreign(self.current().number)
    }

    /// Returns when another generation is live than `number`.
    pub(crate) async fn other_than(&self, number: i32) {
        let mut current = self.0.current.subscribe();
        // It ends with `self`, which is borrowed.
        let _ = current.wait_for(|current| current.number != number).await;
    }

    /// Tells whoever waits that everything up to `position` is committed, if the generation `number` is live.
    pub(crate) fn announce(&self, number: i32, position: u64) {
        let current = self.0.current.borrow();
        if current.number != number {
            return;
        }
        self.0.position.send_if_modified(|seen| {
            let is_new = position > *seen;
            *seen = position.max(*seen);
            is_new
        });
    }

    /// From now on `current` answers, which is at `position`. Reads that are in the one before end there.
    pub(crate) fn set(&self, current: Current<D::Tables>, position: u64) {
        self.0.current.send_modify(|before| {
            *before = Arc::new(current);
            // One of another stream may have been further, which means nothing.
            self.0.position.send_replace(position);
        });
    }

    /// Waits until a generation is live that this code may write: newer code has made something else of the events.
    pub(crate) async fn ours(&self) {
        let mut current = self.0.current.subscribe();
        // It ends with `self`, which is borrowed.
        let _ = current.wait_for(|current| current.version <= <D::Model>::VERSION).await;
    }

    /// Follows a switch that another process made, as `generations` says; tells whether there was one.
    pub(crate) async fn follow(&self, generations: &[Generation]) -> Result<bool, DatabaseError> {
        if is_live(generations, self.current().number) {
            return Ok(false);
        }
        // Looked at again while nobody switches: what was read before may be older than a switch of our own.
        let _turn = self.turn().await;
        let generation = live(self.database()).await?;
        let is_other = generation.number != self.current().number;
        if is_other {
            let current = open(self.database(), &generation).await?;
            let position = current.tables.position().await?;
            self.set(current, position);
        }
        Ok(is_other)
    }

    /// What `read` sees in the tables, once they have reached the position `min`; `None` when that takes longer than
    /// `max_wait`.
    pub(crate) async fn read<T, F, Fut>(
        &self,
        min: u64,
        max_wait: Duration,
        read: F,
    ) -> Result<Option<Seen<T>>, DatabaseError>
    where
        F: Fn(D::Tables) -> Fut,
        Fut: Future<Output = Result<Seen<T>, DatabaseError>>,
    {
        let deadline = Instant::now() + max_wait;
        loop {
            if self.position() >= min {
                let current = self.current();
                let seen = read(current.tables.clone()).await?;
                // A database that crashed may be behind what was seen before.
                if seen.position >= min {
                    self.announce(current.number, seen.position);
                    return Ok(Some(seen));
                }
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            self.progress(min).await?;
        }
    }

    /// Waits for the position `min`, or a moment.
    async fn progress(&self, min: u64) -> Result<(), DatabaseError> {
        let mut position = self.0.position.subscribe();
        let (seen, pause) = (*position.borrow_and_update(), tokio::time::sleep(POLL));
        tokio::select! {
            _ = position.changed(), if seen < min => {}
            () = pause => if let Ok(_poll) = self.0.poll.try_lock() {
                let current = self.current();
                self.announce(current.number, current.tables.position().await?);
            },
        }
        Ok(())
    }

    /// Lets go of the database at the end of the process.
    pub(crate) async fn leave(&self) {
        self.0.database.leave(&self.current().tables).await;
    }
}

fn is_live(generations: &[Generation], number: i32) -> bool {
    let live = |generation: &Generation| generation.state == State::Live;
    generations.iter().any(|generation| live(generation) && generation.number == number)
}

async fn live<D: Database>(database: &D) -> Result<Generation, DatabaseError> {
    let generations = database.generations().await?;
    let live = generations.into_iter().find(|generation| generation.state == State::Live);
    live.ok_or(DatabaseError::RowNotFound)
}

async fn open<D: Database>(
    database: &D,
    generation: &Generation,
) -> Result<Current<D::Tables>, DatabaseError> {
    let tables = database.open(generation.number).await?;
    Ok(Current { number: generation.number, version: generation.version, tables })
}
