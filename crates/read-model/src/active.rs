//! One replica writes, the others wait for its lease to end.
//!
//! The lease says who should write, the epoch in the tables who can: a replica that was paused, and does not know yet that
//! its lease is another's, is refused by the tables themselves.

use std::time::Duration;

use messaging::{
    Connection, Throttle,
    consumer::{ConsumerError, run_projector},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    catalog::Database, commits::Step, control, follower::Follower, live::Live,
    model::DatabaseError, projector::ModelProjector,
};

/// How long a lease lasts that is not renewed.
const LEASE: Duration = Duration::from_secs(3);
/// How often it is renewed, or asked for.
const RENEWAL: Duration = Duration::from_secs(1);
/// How often one looks whether tables of another stream are still what is live.
const FOREIGN: Duration = Duration::from_secs(2);
/// How often one asks who waits: so that another takes over soon after the end.
const QUESTION: Duration = Duration::from_millis(500);

/// Keeps the read model up to date whenever it is this replica's turn, until `stop`.
pub(crate) async fn run<D: Database>(
    connection: &Connection,
    live: &Live<D>,
    follower: &Follower<D>,
    rebuild: bool,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let holder = Uuid::now_v7();
    let writer = Writer { connection, live, follower, rebuild };
    writer.write(holder, stop).await;
    if let Err(error) = live.database().release(holder).await {
        tracing::warn!(%error, "giving the lease back failed; another replica waits for its end");
    }
    Ok(())
}

/// What a replica needs to write.
struct Writer<'a, D: Database> {
    connection: &'a Connection,
    live: &'a Live<D>,
    follower: &'a Follower<D>,
    /// Whether tables of another stream are rebuilt without being told to.
    rebuild: bool,
}

impl<D: Database> Writer<'_, D> {
    async fn write(&self, holder: Uuid, stop: &CancellationToken) {
        let (database, failures) = (self.live.database(), Throttle::new());
        let claim = Claim { database, follower: self.follower, holder, failures };
        while let Some(epoch) = claim.acquire(stop).await {
            tracing::info!(epoch, "this replica writes the read model");
            let lost = stop.child_token();
            let renewal = claim.renew(epoch, &lost);
            let rebuilds = self.follower.run_rebuilds(self.connection, epoch, &lost);
            let work = async {
                tokio::select! {
                    () = lost.cancelled() => {}
                    () = self.work(epoch, &lost) => lost.cancel(),
                }
            };
            tokio::join!(renewal, rebuilds, work);
        }
    }

    /// Keeps what is live up to date, whichever that is, until `lost`; what is of another stream is rebuilt.
    async fn work(&self, epoch: i64, lost: &CancellationToken) {
        let projector = ModelProjector::new(self.live.clone(), epoch);
        let (mut told, warnings) = (None, Throttle::new());
        loop {
            writable(self.live, self.follower).await;
            let number = self.live.current().number;
            let stream = match run_projector(self.connection, &projector, lost).await {
                Ok(()) => return,
                Err(error @ ConsumerError::AnotherStream { stream, .. }) => {
                    if told.replace((number, stream)) != Some((number, stream)) {
                        tracing::error!(number, %error, "the read model is of no use");
                    }
                    stream
                }
            };
            if self.rebuild {
                match control::begin(self.live.database(), false, false).await {
                    Ok(Ok(())) => tracing::error!(%stream, "the read model is rebuilt by itself"),
                    Ok(Err(reason)) => tracing::debug!(reason, "no rebuild was begun"),
                    Err(error) => {
                        if let Some(held_back) = warnings.pass() {
                            tracing::warn!(%error, held_back, "beginning a rebuild failed");
                        }
                    }
                }
            }
            tokio::select! {
                () = self.live.other_than(number) => {}
                _ = self.connection.stream().other_than(stream) => {}
                () = tokio::time::sleep(FOREIGN) => {}
            }
        }
    }
}

/// Waits until it is known which generation is live, and that this code may write it.
async fn writable<D: Database>(live: &Live<D>, follower: &Follower<D>) {
    // Whoever had the lease before may have switched a moment ago. What is wrong the follower tells.
    while follower.look().await.is_err() {
        tokio::time::sleep(QUESTION).await;
    }
    live.ours().await;
}

/// What a replica needs to ask for the lease.
struct Claim<'a, D: Database> {
    database: &'a D,
    follower: &'a Follower<D>,
    holder: Uuid,
    /// Held back: it is asked for every moment.
    failures: Throttle,
}

impl<D: Database> Claim<'_, D> {
    /// Takes or keeps the lease, if there is something to do with it; an answer that comes too late is none.
    async fn ask(&self) -> Result<Option<i64>, DatabaseError> {
        let asked = async {
            if self.follower.has_work() {
                return self.database.lease(self.holder, LEASE).await;
            }
            self.database.release(self.holder).await?;
            Ok(None)
        };
        let answer = tokio::time::timeout(RENEWAL, asked).await;
        let answer = answer.unwrap_or(Err(DatabaseError::PoolTimedOut));
        match &answer {
            Ok(_) => {
                if let Some(held_back) = self.failures.over() {
                    tracing::info!(held_back, "the lease can be asked for again");
                }
            }
            Err(error) => {
                if let Some(held_back) = self.failures.pass() {
                    tracing::warn!(%error, held_back, "asking for the lease failed");
                }
            }
        }
        answer
    }

    /// Waits for the lease; `None` after `stop`.
    async fn acquire(&self, stop: &CancellationToken) -> Option<i64> {
        while !stop.is_cancelled() {
            let commits = self.follower.commits();
            match commits.note(Step::Lease, self.ask().await) {
                Ok(Some(epoch)) => return Some(epoch),
                Ok(None) => commits.not_ours(),
                // It is told.
                Err(_) => {}
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(QUESTION) => {}
            }
        }
        None
    }

    /// Renews the lease until `lost`, and cancels that when it could not be renewed in time.
    async fn renew(&self, epoch: i64, lost: &CancellationToken) {
        let mut renewed = tokio::time::Instant::now();
        while !lost.is_cancelled() {
            tokio::select! {
                () = lost.cancelled() => return,
                () = tokio::time::sleep(RENEWAL) => {}
            }
            match self.ask().await {
                Ok(Some(current)) if current == epoch => renewed = tokio::time::Instant::now(),
                Ok(_) => {
                    tracing::warn!(epoch, "this replica does not write the read model any more");
                    return lost.cancel();
                }
                Err(error) if renewed.elapsed() > LEASE => {
                    tracing::warn!(%error, epoch, "the lease has ended");
                    return lost.cancel();
                }
                // It is told.
                Err(_) => {}
            }
        }
    }
}
