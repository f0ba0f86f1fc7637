use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};

use crate::ways::Way;

/// How long a way runs before it is measured.
const WARM_UP: Duration = Duration::from_millis(100);
/// How long it then runs until the next one has its turn.
const SLICE: Duration = Duration::from_millis(500);

/// What a closed loop of clients measured.
#[derive(Debug)]
pub struct Measured {
    /// How long each operation took, shortest first.
    latencies: Vec<Duration>,
    elapsed: Duration,
}

impl Measured {
    /// What took `latencies`, in `elapsed` altogether.
    pub fn new(mut latencies: Vec<Duration>, elapsed: Duration) -> Self {
        latencies.sort_unstable();
        Self { latencies, elapsed }
    }

    /// Operations in a second.
    pub fn rate(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 operations")]
        let count = self.latencies.len() as f64;
        count / self.elapsed.as_secs_f64()
    }

    /// The latency that `percent` of the operations do not exceed, in milliseconds.
    pub fn percentile(&self, percent: usize) -> f64 {
        let index = (self.latencies.len() * percent / 100).min(self.latencies.len() - 1);
        self.latencies[index].as_secs_f64() * 1000.0
    }
}

/// Lets `concurrency` clients each do one thing after the other, by each of `ways`, for `duration` each.
///
/// The ways take turns, a slice of the time each: a disk or a neighbour that changes its mood meets all of them.
///
/// # Errors
/// An operation failed: a figure with failures in it says nothing.
pub async fn measure(
    concurrency: usize,
    duration: Duration,
    ways: &[Arc<dyn Way>],
) -> anyhow::Result<Vec<Measured>> {
    let mut latencies: Vec<Vec<Duration>> = ways.iter().map(|_| Vec::new()).collect();
    let slices = u32::try_from(duration.as_millis().div_ceil(SLICE.as_millis()))?;
    for _ in 0..slices {
        for (way, latencies) in ways.iter().zip(&mut latencies) {
            latencies.extend(slice(concurrency, way).await?);
        }
    }
    let elapsed = SLICE * slices;
    ensure!(latencies.iter().all(|way| !way.is_empty()), "not one operation ended in {elapsed:?}");
    Ok(latencies.into_iter().map(|latencies| Measured::new(latencies, elapsed)).collect())
}

/// The latencies of the operations that began in one slice of the time.
async fn slice(concurrency: usize, way: &Arc<dyn Way>) -> anyhow::Result<Vec<Duration>> {
    let start = Instant::now() + WARM_UP;
    let end = start + SLICE;
    let clients = (0..concurrency).map(|_| {
        let way = way.clone();
        tokio::spawn(async move {
            let mut latencies = Vec::new();
            while Instant::now() < end {
                let begin = Instant::now();
                way.once().await?;
                if begin >= start {
                    latencies.push(begin.elapsed());
                }
            }
            anyhow::Ok(latencies)
        })
    });
    let mut latencies = Vec::new();
    for client in clients.collect::<Vec<_>>() {
        latencies.extend(client.await.context("a client panicked")??);
    }
    Ok(latencies)
}
