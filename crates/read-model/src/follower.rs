//! Follows the catalog: which generation is live, whether one is to be built, which are to go.

use std::{sync::Arc, time::Duration};

use messaging::{Connection, Throttle};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument as _;

use crate::{
    catalog::{Database, Generation, State},
    commits::Commits,
    live::Live,
    model::{DatabaseError, ReadModel},
    rebuild::Rebuild,
    tables::Tables as _,
};

/// How often the catalog is looked at.
const POLL: Duration = Duration::from_millis(250);

/// How long a look may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// What the catalog said last.
#[derive(Debug)]
pub(crate) struct Follower<D: Database> {
    live: Live<D>,
    generations: watch::Sender<Arc<Vec<Generation>>>,
    /// Why the database could not be read, if it could not.
    problem: watch::Sender<Option<String>>,
    /// Held back: the catalog is looked at every moment.
    failures: Throttle,
}

impl<D: Database> Follower<D> {
    pub(crate) fn new(live: Live<D>) -> Self {
        Self {
            live,
            generations: watch::Sender::new(Arc::default()),
            problem: watch::Sender::new(None),
            failures: Throttle::new(),
        }
    }

    /// What became of the attempts to write.
    pub(crate) fn commits(&self) -> &Commits {
        self.live.commits()
    }

    /// Why the database cannot be read, while it cannot.
    pub(crate) fn problem(&self) -> watch::Receiver<Option<String>> {
        self.problem.subscribe()
    }

    /// Looks at the catalog until `stop`.
    pub(crate) async fn run(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            let problem = self.look().await.err().map(|error| error.to_string());
            match &problem {
                None => {
                    if let Some(held_back) = self.failures.over() {
                        tracing::info!(held_back, "the catalog of generations is read again");
                    }
                }
                Some(error) => {
                    if let Some(held_back) = self.failures.pass() {
                        tracing::warn!(
                            error,
                            held_back,
                            "reading the catalog of generations failed"
                        );
                    }
                }
            }
            self.problem.send_if_modified(|before| {
                let is_news = *before != problem;
                *before = problem;
                is_news
            });
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    /// Whether there is anything that this code may write, as the catalog said last. Nothing when newer code has filled
    /// what is live, unless older code is asked to take its place.
    pub(crate) fn has_work(&self) -> bool {
        let ours = <D::Model>::VERSION;
        let building = |found: &Generation| found.state == State::Building && found.version == ours;
        self.live.current().version <= ours || self.generations.borrow().iter().any(building)
    }

    /// Looks at the catalog, and at the position of what is live.
    pub(crate) async fn look(&self) -> Result<(), DatabaseError> {
        let look = tokio::time::timeout(PATIENCE, self.look_around());
        look.await.unwrap_or(Err(DatabaseError::PoolTimedOut))
    }

    async fn look_around(&self) -> Result<(), DatabaseError> {
        let generations = self.live.database().generations().await?;
        if self.live.follow(&generations).await? {
            tracing::info!(number = self.live.current().number, "another generation is live");
        }
        self.generations.send_replace(Arc::new(generations));
        let current = self.live.current();
        self.live.announce(current.number, current.tables.position().await?);
        Ok(())
    }

    /// Builds whatever generation is to be built, as whoever holds the lease in `epoch`, until `lost`.
    pub(crate) async fn run_rebuilds(
        &self,
        connection: &Connection,
        epoch: i64,
        lost: &CancellationToken,
    ) {
        let mut generations = self.generations.subscribe();
        loop {
            let seen = generations.borrow_and_update().clone();
            self.clean(&seen).await;
            let building = seen.iter().find(|generation| generation.state == State::Building);
            if let Some(older) = building.filter(|building| building.version < <D::Model>::VERSION)
            {
                self.fail(older.number, "it was begun by older code").await;
            }
            // One that newer code has begun is for newer code.
            if let Some(generation) =
                building.filter(|building| building.version == <D::Model>::VERSION)
            {
                let rebuild = Rebuild::new(connection, &self.live, generation.number, epoch);
                // In a task of its own: a panic fails the rebuild and nothing else.
                let (task, stop) = (TaskTracker::new(), lost.clone());
                let rebuilding = async move { rebuild.run(&stop).await };
                let handle = task.spawn(rebuilding.in_current_span());
                if let Err(error) = handle.await {
                    self.fail(generation.number, &error.to_string()).await;
                }
                // What was seen before is out of date. An error shows in the next look of `run`.
                let _ = self.look().await;
                tokio::select! {
                    () = lost.cancelled() => return,
                    () = tokio::time::sleep(POLL) => continue,
                }
            }
            tokio::select! {
                () = lost.cancelled() => return,
                _ = generations.changed() => {}
            }
        }
    }

    async fn fail(&self, number: i32, reason: &str) {
        let database = self.live.database();
        let failed = database.change(number, State::Building, State::Failed, Some(reason));
        if let Err(error) = failed.await
            && let Some(held_back) = self.failures.pass()
        {
            tracing::error!(%error, number, held_back, "noting that a rebuild failed failed");
        }
    }

    /// Of the generations that were live, the last one stays; one that failed, until there is a newer one.
    async fn clean(&self, generations: &[Generation]) {
        let in_state = |state| generations.iter().filter(move |found| found.state == state);
        let mut old: Vec<_> = in_state(State::Previous).collect();
        old.sort_unstable_by_key(|generation| generation.last_live);
        old.pop();
        let newest = generations.last().map(|newest| newest.number);
        old.extend(in_state(State::Failed).filter(|failed| Some(failed.number) != newest));
        for generation in old {
            match self.live.database().remove(generation.number).await {
                Ok(()) => tracing::info!(number = generation.number, "generation removed"),
                Err(error) => {
                    if let Some(held_back) = self.failures.pass() {
                        let number = generation.number;
                        tracing::warn!(%error, number, held_back, "removing a generation failed");
                    }
                }
            }
        }
    }
}
