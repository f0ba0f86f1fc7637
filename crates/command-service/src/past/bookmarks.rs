use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use eventsourcing::{AggregateId, Head};

/// How many are kept. An aggregate is half a megabyte at most.
const MAX_BOOKMARKS: usize = 32;

/// An aggregate as it was after one of its events.
#[derive(Debug, Clone)]
pub(super) struct Bookmark<A> {
    pub(super) id: AggregateId,
    pub(super) head: Head,
    pub(super) state: A,
}

/// Where the last pages of histories ended: whoever asks for the next page need not have all before it read again.
#[derive(Debug)]
pub(super) struct Bookmarks<A> {
    kept: Mutex<VecDeque<Bookmark<A>>>,
}

impl<A> Default for Bookmarks<A> {
    fn default() -> Self {
        Self { kept: Mutex::default() }
    }
}

impl<A: Clone> Bookmarks<A> {
    /// The last one of the aggregate `id` that is not behind `version`.
    pub(super) fn find(&self, id: AggregateId, version: u64) -> Option<Bookmark<A>> {
        let kept = self.lock();
        let fits = |bookmark: &&Bookmark<A>| bookmark.id == id && bookmark.head.version <= version;
        kept.iter().filter(fits).max_by_key(|bookmark| bookmark.head.version).cloned()
    }

    /// Keeps `bookmark`, in the place of the oldest.
    pub(super) fn keep(&self, bookmark: Bookmark<A>) {
        let mut kept = self.lock();
        kept.retain(|other| (other.id, other.head) != (bookmark.id, bookmark.head));
        if kept.len() == MAX_BOOKMARKS {
            kept.pop_front();
        }
        kept.push_back(bookmark);
    }

    // Nothing panics while the lock is held.
    fn lock(&self) -> MutexGuard<'_, VecDeque<Bookmark<A>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
