use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use eventsourcing::{AggregateId, CommandId};
use tokio::sync::OwnedMutexGuard;

use super::ServiceError;

/// How many commands of one aggregate may wait: half of what a service works on at once.
const MAX_WAITING: usize = 128;

/// One at a time for each aggregate, first come, first served. The store decides between processes; this keeps
/// those of one process from losing against each other again and again.
#[derive(Debug, Default)]
pub(super) struct Turns {
    queues: Mutex<HashMap<AggregateId, Queue>>,
}

/// The commands of one aggregate that wait or are executed.
#[derive(Debug, Default)]
struct Queue {
    turn: Arc<tokio::sync::Mutex<()>>,
    commands: HashSet<CommandId>,
}

/// The place of one command, and then its turn; it ends with the value.
struct Place<'a> {
    turns: &'a Turns,
    id: AggregateId,
    command: CommandId,
}

/// The turn of one command; it ends with the value. The fields go in this order.
pub(super) struct Turn<'a> {
    _guard: OwnedMutexGuard<()>,
    _place: Place<'a>,
}

impl Turns {
    /// Waits for the turn of `command`, which is for `id`.
    ///
    /// # Errors
    /// The same command is here already; or too many wait for the same aggregate: more would leave no room for the
    /// commands of others.
    pub async fn wait(
        &self,
        id: AggregateId,
        command: CommandId,
    ) -> Result<Turn<'_>, ServiceError> {
        let (place, turn) = self.queue_up(id, command)?;
        Ok(Turn { _guard: turn.lock_owned().await, _place: place })
    }

    fn queue_up(
        &self,
        id: AggregateId,
        command: CommandId,
    ) -> Result<(Place<'_>, Arc<tokio::sync::Mutex<()>>), ServiceError> {
        let mut queues = self.lock();
        let queue = queues.entry(id).or_default();
        if queue.commands.len() >= MAX_WAITING {
            return Err(ServiceError::Contended);
        }
        if !queue.commands.insert(command) {
            return Err(ServiceError::InFlight);
        }
        Ok((Place { turns: self, id, command }, queue.turn.clone()))
    }

    // Nothing panics while the lock is held.
    fn lock(&self) -> MutexGuard<'_, HashMap<AggregateId, Queue>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut queues = self.turns.lock();
        let Some(queue) = queues.get_mut(&self.id) else { return };
        queue.commands.remove(&self.command);
        if queue.commands.is_empty() {
            queues.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    fn ids() -> (AggregateId, CommandId) {
        (uuid::Uuid::now_v7().into(), CommandId::generate())
    }

    #[tokio::test]
    async fn turns_of_one_aggregate_follow_each_other_and_leave_nothing_behind() {
        let turns = Arc::new(Turns::default());
        let (one, _) = ids();
        let (other, command) = ids();
        let busy = Arc::new(AtomicU32::new(0));
        let held = turns.wait(other, command).await.expect("free");
        let tasks = (0..50).map(|_| {
            let (turns, busy) = (turns.clone(), busy.clone());
            tokio::spawn(async move {
                let _turn = turns.wait(one, CommandId::generate()).await.expect("few enough");
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

    #[tokio::test]
    async fn the_same_command_is_not_executed_twice_at_once() {
        let turns = Turns::default();
        let (id, command) = ids();
        let (other, _) = ids();
        let turn = turns.wait(id, command).await.expect("free");
        assert_eq!(turns.wait(id, command).await.err(), Some(ServiceError::InFlight));
        // One key for two articles is two commands.
        assert!(turns.wait(other, command).await.is_ok());
        drop(turn);
        assert!(turns.wait(id, command).await.is_ok());
    }

    #[tokio::test]
    async fn who_stops_waiting_leaves_nothing_behind() {
        let turns = Turns::default();
        let (id, command) = ids();
        let turn = turns.wait(id, command).await.expect("free");
        {
            let mut waiting = std::pin::pin!(turns.wait(id, CommandId::generate()));
            assert!(futures_util::poll!(&mut waiting).is_pending());
        }
        drop(turn);
        assert!(turns.lock().is_empty());
    }
}
