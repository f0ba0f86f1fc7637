//! The furthest position that is known of the stream.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Mark;

/// The furthest position that somebody in this process knows of.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory(Arc<Mutex<Option<Mark>>>);

impl Memory {
    pub(super) fn remember(&self, mark: Mark) {
        let mut kept = self.lock();
        let is_further = kept.is_none_or(|kept| {
            kept.stream != mark.stream
                || (kept.position, kept.stored_at) < (mark.position, mark.stored_at)
        });
        if is_further {
            *kept = Some(mark);
        }
    }

    pub(super) fn get(&self) -> Option<Mark> {
        *self.lock()
    }

    // Nothing panics while the lock is held.
    fn lock(&self) -> MutexGuard<'_, Option<Mark>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
