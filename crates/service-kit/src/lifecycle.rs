//! One object for the tasks of a process, the signal to stop and the grace period.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

/// Tasks that start and stop together. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Lifecycle {
    stop: CancellationToken,
    tasks: TaskTracker,
    failure: Arc<Mutex<Option<anyhow::Error>>>,
    grace: Duration,
}

impl Lifecycle {
    /// A lifecycle whose tasks get `grace` to end once they are told to.
    #[must_use]
    pub fn new(grace: Duration) -> Self {
        Self {
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            failure: Arc::default(),
            grace,
        }
    }

    /// Is cancelled when it is time to stop.
    #[must_use]
    pub fn stop_token(&self) -> &CancellationToken {
        &self.stop
    }

    /// Returns when it is time to stop.
    pub async fn stopping(&self) {
        self.stop.cancelled().await;
    }

    /// Tells every task to stop.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Runs `task` as a part of the process: when it fails, or ends before it was told to, everything stops.
    pub fn run<F>(&self, name: impl Into<String>, task: F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let (lifecycle, name) = (self.clone(), name.into());
        // A task of its own, so that a panic is seen.
        let handle = tokio::spawn(task);
        self.tasks.spawn(async move {
            let failure = match handle.await {
                Ok(Ok(())) if lifecycle.stop.is_cancelled() => None,
                Ok(Ok(())) => Some(anyhow!("{name} ended without being told to")),
                Ok(Err(error)) => Some(error.context(format!("{name} failed"))),
                Err(error) => Some(anyhow!(error).context(format!("{name} failed"))),
            };
            if let Some(failure) = failure {
                lifecycle.fail(failure);
            }
        });
    }

    /// Runs `task` on the side: nobody minds when it ends, but the process waits for it at the end.
    pub fn spawn<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tasks.spawn(task);
    }

    /// Lets the process wait at its end for whoever holds the token.
    pub fn token(&self) -> TaskTrackerToken {
        self.tasks.token()
    }

    /// Waits for every task, up to the grace period; tells the first failure.
    pub async fn finish(&self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(self.grace, self.tasks.wait()).await.is_err() {
            self.fail(anyhow!("{} tasks did not end within {:?}", self.tasks.len(), self.grace));
        }
        match self.failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }

    fn fail(&self, failure: anyhow::Error) {
        tracing::error!(error = format!("{failure:#}"), "stopping because of a failure");
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
        self.stop.cancel();
    }
}

/// Returns at the first SIGINT or SIGTERM.
///
/// # Errors
/// The handlers cannot be installed.
pub async fn termination() -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("watching for SIGINT failed")?;
    let mut terminate = signal(SignalKind::terminate()).context("watching for SIGTERM failed")?;
    tokio::select! {
        _ = interrupt.recv() => tracing::info!(signal = "SIGINT", "stopping"),
        _ = terminate.recv() => tracing::info!(signal = "SIGTERM", "stopping"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn a_task_that_fails_stops_the_others_and_is_told() {
        let lifecycle = Lifecycle::new(GRACE);
        let other = lifecycle.clone();
        lifecycle.run("other", async move {
            other.stopping().await;
            Ok(())
        });
        lifecycle.run("faulty", async { Err(anyhow!("broken")) });
        lifecycle.stopping().await;
        let failure = lifecycle.finish().await.expect_err("a failure");
        assert_eq!(format!("{failure:#}"), "faulty failed: broken");
    }

    #[tokio::test]
    async fn an_end_without_being_told_and_a_panic_are_failures() {
        for ends_early in [true, false] {
            let lifecycle = Lifecycle::new(GRACE);
            lifecycle.run("faulty", async move {
                assert!(ends_early, "a bug");
                Ok(())
            });
            lifecycle.stopping().await;
            assert!(lifecycle.finish().await.is_err());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_does_not_end_is_told_after_the_grace_period() {
        let lifecycle = Lifecycle::new(GRACE);
        lifecycle.run("stuck", std::future::pending());
        assert!(lifecycle.finish().await.is_err());
    }

    #[tokio::test]
    async fn an_orderly_end_is_no_failure() {
        let lifecycle = Lifecycle::new(GRACE);
        let task = lifecycle.clone();
        lifecycle.run("orderly", async move {
            task.stopping().await;
            Ok(())
        });
        assert!(lifecycle.finish().await.is_ok());
    }
}
