use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    future::Future,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::FutureExt;
use tokio_util::task::TaskTracker;

/// Work in order within a key, in parallel across keys.
///
/// Every key that has work has a task of its own, so one that waits holds up nobody else. The number of items
/// is bounded by whoever submits: the server delivers no more than `max_ack_pending` messages at once.
pub(crate) struct Lanes<T> {
    waiting: Arc<Mutex<HashMap<String, VecDeque<T>>>>,
    tasks: TaskTracker,
}

impl<T: Send + 'static> Lanes<T> {
    pub fn new() -> Self {
        Self { waiting: Arc::default(), tasks: TaskTracker::new() }
    }

    /// Puts `item` behind the others of `key`.
    pub fn submit<F, Fut>(&self, key: String, item: T, work: F)
    where
        F: Fn(T) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send,
    {
        match lock(&self.waiting).entry(key) {
            Entry::Occupied(mut lane) => lane.get_mut().push_back(item),
            Entry::Vacant(lane) => {
                let key = lane.key().clone();
                lane.insert(VecDeque::new());
                let waiting = self.waiting.clone();
                self.tasks.spawn(async move {
                    let mut next = Some(item);
                    while let Some(item) = next {
                        // Who panics has told so; those behind it shall not wait for ever.
                        let _ = AssertUnwindSafe(work(item)).catch_unwind().await;
                        next = advance(&waiting, &key);
                    }
                });
            }
        }
    }

    /// How many keys have work.
    pub fn len(&self) -> usize {
        lock(&self.waiting).len()
    }

    /// Returns when all that was submitted is done.
    pub async fn drain(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// The next item of `key`; the lane ends, under the same lock, when there is none.
fn advance<T>(waiting: &Mutex<HashMap<String, VecDeque<T>>>, key: &str) -> Option<T> {
    let mut waiting = lock(waiting);
    let next = waiting.get_mut(key).and_then(VecDeque::pop_front);
    if next.is_none() {
        waiting.remove(key);
    }
    next
}

// Nothing panics while the lock is held.
fn lock<T>(waiting: &Mutex<T>) -> MutexGuard<'_, T> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::Notify;

    #[tokio::test]
    async fn order_holds_within_a_key_and_a_waiting_key_holds_up_nobody() {
        let lanes = Lanes::new();
        let done = Arc::new(Mutex::new(Vec::new()));
        let (gate, quick) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        for (key, number) in [("slow", 1), ("slow", 2), ("quick", 3), ("slow", 4)] {
            let (done, gate, quick) = (done.clone(), gate.clone(), quick.clone());
            lanes.submit(key.to_owned(), number, move |number| {
                let (done, gate, quick) = (done.clone(), gate.clone(), quick.clone());
                async move {
                    if number == 1 {
                        gate.notified().await;
                    }
                    lock(&done).push(number);
                    if number == 3 {
                        quick.notify_one();
                    }
                }
            });
        }
        quick.notified().await;
        assert_eq!(*lock(&done), [3]);
        gate.notify_one();
        lanes.drain().await;
        assert_eq!(*lock(&done), [3, 1, 2, 4]);
        assert_eq!(lanes.len(), 0);
    }
}
