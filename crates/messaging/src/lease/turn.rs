use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Lease, VALID, now};

/// How often the holder renews, and how long an attempt may take: two fail before the turn is over.
const RENEW: Duration = Duration::from_secs(1);

/// The turn of this process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Turn(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Until when this process may act, in milliseconds of [`now`].
    until: AtomicU64,
    over: CancellationToken,
    given_up: CancellationToken,
    renewing: Mutex<Option<JoinHandle<()>>>,
}

impl Turn {
    /// Keeps the lease that was written at `sequence` and is valid until `until`.
    pub(super) fn start(lease: Lease, sequence: u64, until: Duration) -> Self {
        metrics::gauge!("lease_held", "lease" => lease.name).set(1.0);
        tracing::info!(lease = lease.name, "it is this process's turn");
        let turn = Self(Arc::new(Shared {
            until: AtomicU64::new(milliseconds(until)),
            over: CancellationToken::new(),
            given_up: CancellationToken::new(),
            renewing: Mutex::default(),
        }));
        let task = tokio::spawn(renew(lease, sequence, turn.clone()));
        *turn.0.renewing.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
        turn
    }

    /// Whether this process may act now. Ask right before acting: a process that was stopped learns here that the turn
    /// has passed.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        !self.0.over.is_cancelled() && milliseconds(now()) < self.0.until.load(Ordering::Acquire)
    }

    /// Returns when the turn is over.
    pub async fn over(&self) {
        self.0.over.cancelled().await;
    }

    /// Gives the turn up, so that another process need not wait. Does nothing when it is over.
    pub async fn release(&self) {
        self.0.given_up.cancel();
        let task = self.0.renewing.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            // It does not panic, and nobody aborts it.
            let _ = task.await;
        }
    }
}

async fn renew(lease: Lease, mut sequence: u64, Turn(shared): Turn) {
    loop {
        tokio::select! {
            () = shared.given_up.cancelled() => break,
            () = tokio::time::sleep(RENEW) => {}
        }
        let sent = now();
        if milliseconds(sent) >= shared.until.load(Ordering::Acquire) {
            break;
        }
        match tokio::time::timeout(RENEW, attempt(&lease, sequence)).await {
            Ok(Attempt::Renewed(place)) => {
                sequence = place;
                shared.until.store(milliseconds(sent + VALID), Ordering::Release);
            }
            Ok(Attempt::Ours(place)) => sequence = place,
            Ok(Attempt::Lost) => break,
            Ok(Attempt::Unknown) | Err(_) => {}
        }
    }
    shared.over.cancel();
    metrics::gauge!("lease_held", "lease" => lease.name).set(0.0);
    if !shared.given_up.is_cancelled() {
        tracing::warn!(lease = lease.name, "the turn of this process is over");
    } else if let Ok(Err(error)) = tokio::time::timeout(RENEW, lease.write(sequence, true)).await {
        tracing::debug!(lease = lease.name, %error, "the lease was not given up");
    }
}

enum Attempt {
    /// It is renewed.
    Renewed(u64),
    /// An earlier renewal was stored after all; this one is to be tried again behind it.
    Ours(u64),
    /// Another process has it.
    Lost,
    /// There was no answer.
    Unknown,
}

async fn attempt(lease: &Lease, sequence: u64) -> Attempt {
    if let Ok(place) = lease.write(sequence, false).await {
        return Attempt::Renewed(place);
    }
    match lease.last().await {
        Ok(Some((entry, place))) if entry.holder == lease.holder => Attempt::Ours(place),
        Ok(_) => Attempt::Lost,
        Err(_) => Attempt::Unknown,
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
