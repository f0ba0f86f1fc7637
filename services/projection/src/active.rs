//! One replica writes, the others wait for its lease to end.
//!
//! The lease says who should write, the epoch in the tables who can: a replica that was paused, and does not know yet that
//! its lease is another's, is refused by the tables themselves.

use std::time::Duration;

use messaging::{Connection, consumer::run_projector};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    catalog::Database, follower::Follower, live::Live, projector::ArticleProjector,
    tables::DatabaseError,
};

/// How long a lease lasts that is not renewed.
const LEASE: Duration = Duration::from_secs(3);
/// How often it is renewed, or asked for.
const RENEWAL: Duration = Duration::from_secs(1);
/// How often one asks who waits: so that another takes over soon after the end.
const QUESTION: Duration = Duration::from_millis(500);

/// Keeps the read model up to date whenever it is this replica's turn, until `stop`.
pub(crate) async fn run<D: Database>(
    connection: &Connection,
    live: &Live<D>,
    follower: &Follower<D>,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let holder = Uuid::now_v7();
    let ended = write(connection, live, follower, holder, stop).await;
    if let Err(error) = live.database().release(holder).await {
        tracing::warn!(%error, "giving the lease back failed; another replica waits for its end");
    }
    ended
}

async fn write<D: Database>(
    connection: &Connection,
    live: &Live<D>,
    follower: &Follower<D>,
    holder: Uuid,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let claim = Claim { database: live.database(), follower, holder };
    while let Some(epoch) = claim.acquire(stop).await {
        tracing::info!(epoch, "this replica writes the read model");
        let lost = stop.child_token();
        let projector = ArticleProjector::new(live.clone(), epoch);
        let renewal = claim.renew(epoch, &lost);
        let rebuilds = follower.run_rebuilds(connection, epoch, &lost);
        let work = async {
            tokio::select! {
                () = lost.cancelled() => return Ok(()),
                () = writable(live, follower) => {}
            }
            let result = run_projector(connection, &projector, &lost).await;
            lost.cancel();
            result
        };
        let ((), (), result) = tokio::join!(renewal, rebuilds, work);
        result?;
    }
    Ok(())
}

/// Waits until it is known which generation is live, and that this code may write it.
async fn writable<D: Database>(live: &Live<D>, follower: &Follower<D>) {
    // Whoever had the lease before may have switched a moment ago.
    while let Err(error) = follower.look().await {
        tracing::warn!(%error, "reading the catalog of generations failed");
        tokio::time::sleep(QUESTION).await;
    }
    live.ours().await;
}

/// What a replica needs to ask for the lease.
struct Claim<'a, D: Database> {
    database: &'a D,
    follower: &'a Follower<D>,
    holder: Uuid,
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
        tokio::time::timeout(RENEWAL, asked).await.unwrap_or(Err(DatabaseError::PoolTimedOut))
    }

    /// Waits for the lease; `None` after `stop`.
    async fn acquire(&self, stop: &CancellationToken) -> Option<i64> {
        while !stop.is_cancelled() {
            match self.ask().await {
                Ok(Some(epoch)) => return Some(epoch),
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "asking for the lease failed"),
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
                Err(error) => tracing::warn!(%error, "renewing the lease failed"),
            }
        }
    }
}
