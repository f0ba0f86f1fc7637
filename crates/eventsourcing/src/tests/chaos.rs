//! Commands sent again and again, to executors that are dropped in the middle of them, over a store that loses answers.
//!
//! `NEWSWIRE_CHAOS_COMMANDS` and `NEWSWIRE_CHAOS_SEED` choose how many commands, and which.

use std::{
    collections::HashMap,
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use super::{Add, Counter, add, counter};
use crate::{
    Accepted, AppendError, Command, CommandEnvelope, Commit, EventStore, ExecuteError, Executor,
    Head, LoadError, MemoryEventStore, MemorySnapshotStore, RecordedEvent, Reply, StoreError,
    StreamId,
};

/// Numbers that look random and are the same every time (splitmix64, Steele et al. 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let end = u64::try_from(end).expect("small");
        usize::try_from((z ^ (z >> 31)) % end).expect("small")
    }
}

/// A store that is slow to answer, and often does not: what it was asked it may have done or not.
struct Faulty {
    inner: MemoryEventStore,
    random: Mutex<Random>,
}

impl Faulty {
    fn chance(&self, percent: usize) -> bool {
        self.random.lock().expect("unpoisoned").below(100) < percent
    }

    /// Lets others go first, and gives whoever drops us the occasion.
    async fn wait() {
        let mut waited = false;
        std::future::poll_fn(|context| {
            if waited {
                return Poll::Ready(());
            }
            waited = true;
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    fn lost() -> StoreError {
        StoreError::new("waiting for the answer", "it got lost")
    }
}

impl EventStore for Faulty {
    async fn load(&self, stream: &StreamId, after: Head) -> Result<Vec<RecordedEvent>, LoadError> {
        Self::wait().await;
        if self.chance(10) {
            return Err(Self::lost().into());
        }
        self.inner.load(stream, after).await
    }

    async fn append(
        &self,
        stream: &StreamId,
        expected: Head,
        commit: Commit,
    ) -> Result<Head, AppendError> {
        Self::wait().await;
        if self.chance(10) {
            return Err(AppendError::Unknown(Self::lost()));
        }
        let stored = self.inner.append(stream, expected, commit).await;
        Self::wait().await;
        match stored {
            Ok(_) if self.chance(20) => Err(AppendError::Unknown(Self::lost())),
            stored => stored,
        }
    }
}

type Process = Executor<Counter, Arc<Faulty>, Arc<MemorySnapshotStore>>;

/// Executes `command`; the process may be gone before that is done.
fn execute(
    process: &Process,
    command: &CommandEnvelope<Add>,
    lifetime: usize,
) -> Option<Result<Reply<Counter>, ExecuteError>> {
    let mut execution = pin!(process.execute(command));
    let mut context = Context::from_waker(Waker::noop());
    (0..lifetime).find_map(|_| match execution.as_mut().poll(&mut context) {
        Poll::Ready(reply) => Some(reply),
        Poll::Pending => None,
    })
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a whole number"))
}

#[test]
fn every_command_has_one_outcome_however_often_it_is_sent() {
    let commands = setting("NEWSWIRE_CHAOS_COMMANDS", 1000);
    let commands = usize::try_from(commands).expect("it fits");
    let seed = setting("NEWSWIRE_CHAOS_SEED", 1);
    let mut random = Random(seed);
    let faults = Mutex::new(Random(seed.wrapping_add(1)));
    let store = Arc::new(Faulty { inner: MemoryEventStore::default(), random: faults });
    let snapshots = Arc::new(MemorySnapshotStore::default());
    let start = || Process::with_snapshots(store.clone(), snapshots.clone());
    let counters: Vec<_> = (0..=commands / 50).map(|_| counter()).collect();
    let mut processes = [start(), start()];
    let mut outcomes: HashMap<_, Accepted<Counter>> = HashMap::new();
    let mut sent = Vec::new();
    for _ in 0..commands {
        let id = counters[random.below(counters.len())];
        sent.push(add(id, &[0, 0][..=random.below(2)]));
        let earlier = random.below(sent.len());
        // The new one up to three times, and sometimes one from the past.
        let again = std::iter::repeat_n(sent.len() - 1, 1 + random.below(3));
        for index in again.chain((random.below(10) == 0).then_some(earlier)) {
            let command = &sent[index];
            let accepted = loop {
                let process = &mut processes[usize::from(random.below(2) == 0)];
                // Often long enough, sometimes not even for the first question.
                let lifetime = if random.below(4) == 0 { random.below(12) } else { 10_000 };
                match execute(process, command, lifetime) {
                    Some(Ok(Reply::Accepted(accepted))) => break accepted,
                    Some(Ok(Reply::Refused(refusal))) => panic!("refused: {refusal}"),
                    Some(Err(ExecuteError::Corrupt(error))) => panic!("{error}"),
                    Some(Err(_)) => {}
                    None => *process = start(),
                }
            };
            let first = outcomes.entry(command.id).or_insert_with(|| accepted.clone()).clone();
            assert_eq!(Accepted { repeated: first.repeated, ..accepted }, first);
        }
    }
    judge(&store.inner.all(), &sent);
}

fn judge(events: &[RecordedEvent], sent: &[CommandEnvelope<Add>]) {
    let mut of_command: HashMap<_, usize> = HashMap::new();
    let mut versions: HashMap<_, u64> = HashMap::new();
    for event in events {
        *of_command.entry(event.event.metadata.causation_id).or_default() += 1;
        let version = versions.entry(event.aggregate_id).or_default();
        *version += 1;
        assert_eq!(event.event.version, *version);
    }
    assert_eq!(of_command.len(), sent.len());
    for command in sent {
        assert_eq!(of_command[&command.id], command.data.amounts.len(), "{}", Add::VERB);
    }
}
