use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use time::OffsetDateTime;
use tokio::time::Instant;

/// The messages that wait in a lane or are worked on.
pub(super) struct InHand(Mutex<State>);

struct State {
    /// When each was stored, by position: the first is the oldest.
    stored: BTreeMap<u64, OffsetDateTime>,
    delivered: Instant,
}

/// How things stand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    pub count: usize,
    /// When the oldest of them was stored.
    pub oldest: Option<OffsetDateTime>,
    /// When the server delivered something last, or this began.
    pub delivered: Instant,
}

impl InHand {
    pub fn new() -> Self {
        Self(Mutex::new(State { stored: BTreeMap::new(), delivered: Instant::now() }))
    }

    /// The message at `position` was delivered; says whether it is new: one that waits behind a slow one is delivered
    /// again and again.
    pub fn take(&self, position: u64, stored: OffsetDateTime) -> bool {
        let mut state = self.lock();
        state.delivered = Instant::now();
        state.stored.insert(position, stored).is_none()
    }

    /// The message at `position` has come to its end.
    pub fn release(&self, position: u64) {
        self.lock().stored.remove(&position);
    }

    /// How things stand now.
    pub fn held(&self) -> Held {
        let state = self.lock();
        let oldest = state.stored.first_key_value().map(|(_, stored)| *stored);
        Held { count: state.stored.len(), oldest, delivered: state.delivered }
    }

    // Nothing panics while the lock is held.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
