use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use eventsourcing::AggregateId;
use tokio::sync::OwnedMutexGuard;

use super::ServiceError;

/// How many commands of one aggregate may wait: half of what a service works on at once.
const MAX_WAITING: usize = 128;

/// One at a time for each aggregate, first come, first served. The store decides between processes; this keeps
/// those of one process from losing against each other again and again.
#[derive(Debug, Default)]
pub(super) struct Turns {
    queues: Mutex<HashMap<AggregateId, Arc<tokio::sync::Mutex<()>>>>,
}

/// The turn of one command; it ends with the value.
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    id: AggregateId,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    /// Waits for the turn of a command of `id`.
    ///
    /// # Errors
    /// Too many wait for the same aggregate already: more would leave no room for the commands of others.
    pub async fn wait(&self, id: AggregateId) -> Result<Turn<'_>, ServiceError> {
        let queue = self.lock().entry(id).or_default().clone();
        if Arc::strong_count(&queue) > MAX_WAITING {
            return Err(ServiceError::Contended);
        }
        Ok(Turn { turns: self, id, guard: Some(queue.lock_owned().await) })
    }

    // Nothing panics while the lock is held.
    fn lock(&self) -> MutexGuard<'_, HashMap<AggregateId, Arc<tokio::sync::Mutex<()>>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.guard = None;
        let mut queues = self.turns.lock();
        // Whoever waits holds a second reference.
        if queues.get(&self.id).is_some_and(|queue| Arc::strong_count(queue) == 1) {
            queues.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test]
    async fn turns_of_one_aggregate_follow_each_other_and_leave_nothing_behind() {
        let turns = Arc::new(Turns::default());
        let (one, other) = (uuid::Uuid::now_v7().into(), uuid::Uuid::now_v7().into());
        let busy = Arc::new(AtomicU32::new(0));
        let held = turns.wait(other).await.expect("free");
        let tasks = (0..50).map(|_| {
            let (turns, busy) = (turns.clone(), busy.clone());
            tokio::spawn(async move {
                let _turn = turns.wait(one).await.expect("few enough");
                assert_eq!(busy.fetch_add(1, Ordering::SeqCst), 0);
                tokio::task::yield_now().await;
                busy.fetch_sub(1, Ordering::SeqCst);
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.expect("no two at once");
        }
        drop(held);
        assert!(turns.lock().is_empty());
    }
}
