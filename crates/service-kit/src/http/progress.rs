//! What a connection is doing, and since when: a client that keeps a place and does nothing makes room for others.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

/// Where a connection is in the exchange of requests and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// It waits for a request.
    Idle,
    /// A request arrives.
    Receiving,
    /// The request is being worked on.
    Working,
    /// The answer is on its way.
    Answering,
    /// It speaks another protocol now.
    Upgraded,
}

/// The progress of one connection. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Progress(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    phase: Phase,
    since: Instant,
    /// Whether all of the answer was handed over to be written.
    handed_over: bool,
}

impl Progress {
    pub(super) fn new() -> Self {
        let state = State { phase: Phase::Idle, since: Instant::now(), handed_over: false };
        Self(Arc::new(Mutex::new(state)))
    }

    /// It is in `phase` from now on, unless it was already.
    pub(super) fn enter(&self, phase: Phase) {
        enter(&mut self.lock(), phase);
    }

    /// Bytes have arrived.
    pub(super) fn received(&self) {
        let mut state = self.lock();
        if state.phase == Phase::Idle {
            enter(&mut state, Phase::Receiving);
        }
    }

    /// The last part of the answer has been handed over.
    pub(super) fn handed_over(&self) {
        self.lock().handed_over = true;
    }

    /// All that was handed over has been written.
    pub(super) fn flushed(&self) {
        let mut state = self.lock();
        if state.phase == Phase::Answering && state.handed_over {
            enter(&mut state, Phase::Idle);
        }
    }

    /// Whether it speaks another protocol.
    pub(super) fn is_upgraded(&self) -> bool {
        self.lock().phase == Phase::Upgraded
    }

    /// Since when the client has kept the server waiting, and whether that is in the middle of a request or an answer;
    /// `None` when the server is at work.
    pub(super) fn waits_for_client(&self) -> Option<(bool, Instant)> {
        let state = self.lock();
        match state.phase {
            Phase::Idle => Some((false, state.since)),
            Phase::Receiving | Phase::Answering => Some((true, state.since)),
            Phase::Working | Phase::Upgraded => None,
        }
    }

    // Nothing panics while the lock is held.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn enter(state: &mut State, phase: Phase) {
    if state.phase != phase {
        *state = State { phase, since: Instant::now(), handed_over: false };
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_phase_lasts_from_its_first_byte_to_its_last() {
        let second = || tokio::time::advance(Duration::from_secs(1));
        let waits = |progress: &Progress| {
            progress.waits_for_client().map(|(amid, since)| (amid, since.elapsed().as_secs()))
        };
        let progress = Progress::new();
        second().await;
        assert_eq!(waits(&progress), Some((false, 1)));
        progress.received();
        second().await;
        progress.received();
        assert_eq!(waits(&progress), Some((true, 1)), "more of the same request");
        progress.enter(Phase::Working);
        assert_eq!(waits(&progress), None);
        progress.enter(Phase::Answering);
        progress.flushed();
        second().await;
        assert_eq!(waits(&progress), Some((true, 1)), "there is more to come");
        progress.handed_over();
        progress.flushed();
        assert_eq!(waits(&progress), Some((false, 0)));
    }
}
