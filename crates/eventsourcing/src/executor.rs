//! Load, decide, append: the one loop that every command goes through.

mod aggregates;
mod plan;

use time::OffsetDateTime;

use crate::{
    Accepted, Aggregate, AggregateId, AppendError, Command, CommandEnvelope, Decide, DecodeError,
    EventRef, EventStore, Fingerprints, Head, NewEvent, NoSnapshots, Refusal, Reply, SnapshotStore,
    StoreError, StreamId,
    cache::{Cache, Root},
    fingerprint::Marks,
};
use plan::{Plan, plan};

/// How often a command is decided again after another writer was first or nobody answered.
const MAX_ATTEMPTS: u32 = 16;

/// A command was neither accepted nor refused.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// It arrived after its deadline; nothing was stored.
    #[error("the command arrived after its deadline")]
    Expired,
    /// The store could not be used; nothing was stored.
    #[error("the event store is unavailable")]
    Unavailable(#[source] StoreError),
    /// Other writers were first, every time; nothing was stored.
    #[error("other writers were first in {MAX_ATTEMPTS} attempts")]
    Contended,
    /// The events may or may not be stored. The same command again settles it.
    #[error("the outcome of the command is unknown")]
    OutcomeUnknown(#[source] StoreError),
    /// A stored event cannot be read.
    #[error("a stored event cannot be read")]
    Corrupt(#[from] DecodeError),
    /// A command or event cannot be written as JSON.
    #[error("writing JSON failed")]
    Encode(#[from] serde_json::Error),
}

/// Executes the commands of one kind of aggregate against one store.
#[derive(Debug)]
pub struct Executor<A, S, P = NoSnapshots> {
    store: S,
    snapshots: P,
    cache: Cache<A>,
    fingerprints: Fingerprints,
}

/// One command on its way: what is known of its aggregate, and of its own outcome.
struct Attempt<A> {
    stream: StreamId,
    marks: Marks,
    root: Root<A>,
    /// Whether the root was compared with the store for this command. A guess may be appended to, since the
    /// store checks it, but nobody is refused or answered on one.
    fresh: bool,
    /// Why nobody knows whether an earlier append of this command was stored.
    unknown: Option<StoreError>,
}

impl<A: Aggregate, S: EventStore> Executor<A, S> {
    /// An executor over `store` that reads aggregates from their events alone.
    pub fn new(store: S) -> Self {
        Self::with_snapshots(store, NoSnapshots)
    }
}

impl<A: Aggregate, S: EventStore, P: SnapshotStore> Executor<A, S, P> {
    /// An executor over `store` that takes and leaves shortcuts in `snapshots`.
    pub fn with_snapshots(store: S, snapshots: P) -> Self {
        Self { store, snapshots, cache: Cache::new(), fingerprints: Fingerprints::default() }
    }

    /// The same with fingerprints of its own.
    #[must_use]
    pub fn with_fingerprints(self, fingerprints: Fingerprints) -> Self {
        Self { fingerprints, ..self }
    }

    /// Empties the cache and leaves a snapshot of everything that was in it. For an orderly end.
    pub fn retire(&self) {
        for (id, root) in self.cache.clear() {
            self.save_if_worth_it(id, &root);
        }
    }

    /// Decides `command` and stores its events, once, however often it is sent.
    ///
    /// # Errors
    /// See [`ExecuteError`]; a refusal is a [`Reply`].
    pub async fn execute<C>(&self, command: &CommandEnvelope<C>) -> Result<Reply<A>, ExecuteError>
    where
        C: Command,
        A: Decide<C>,
    {
        let id = command.aggregate_id();
        let cached = self.cache.take(id);
        // What a command is about to create is not there, unless it is a repeat.
        let guess = cached.is_some() || C::CREATES;
        let mut attempt = Attempt {
            stream: StreamId::new(A::CONTEXT, id),
            marks: self.fingerprints.of(command)?,
            fresh: false,
            root: cached.unwrap_or_default(),
            unknown: None,
        };
        if !guess && !is_late(command) {
            self.refresh(&mut attempt).await?;
        }
        for number in 1.. {
            // What is unknown is settled until the deadline; what is known to be contended is given up.
            let settling = attempt.unknown.is_some() && command.deadline.is_some();
            if number > MAX_ATTEMPTS && !settling {
                break;
            }
            if is_late(command) {
                return Err(attempt.give_up(ExecuteError::Expired));
            }
            if let Some(reply) = self.step(command, &mut attempt).await? {
                self.keep(id, attempt.root);
                return Ok(reply);
            }
            if number > 1 {
                self.store.pause(number).await;
            }
            self.refresh(&mut attempt).await?;
        }
        Err(attempt.give_up(ExecuteError::Contended))
    }

    /// Decides and appends once; `None` means that the root was not, or is no more, what the store has.
    async fn step<C>(
        &self,
        command: &CommandEnvelope<C>,
        attempt: &mut Attempt<A>,
    ) -> Result<Option<Reply<A>>, ExecuteError>
    where
        C: Command,
        A: Decide<C>,
    {
        // A command finds what it created, however many others came after it.
        let is_known = attempt.root.commands.contains(command.id);
        if is_known || C::CREATES && attempt.root.head.version > 0 {
            match self.earlier_outcome(command, attempt).await? {
                // The replica that answered lags behind the one that told of the command.
                None if is_known => return Err(ExecuteError::OutcomeUnknown(not_there_yet())),
                None => {}
                outcome => return Ok(outcome),
            }
        }
        let marks = (attempt.marks.today, &self.fingerprints);
        let (state, commit) =
            match plan(command, attempt.stream.aggregate_id, marks, &attempt.root)? {
                Plan::Answer(reply) => return Ok(attempt.fresh.then_some(reply)),
                Plan::Append(state, commit) => (state, commit),
            };
        let (events, time) = (refs(&commit.events), commit.events.last().map(|last| last.time));
        match self.store.append(&attempt.stream, attempt.root.head, commit).await {
            Ok(head) => {
                attempt.root.state = state.clone();
                attempt.root.head = head;
                attempt.root.time = time;
                attempt.root.commands.insert(command.id);
                Ok(Some(accept(attempt.stream.aggregate_id, state, head, events, false)))
            }
            Err(AppendError::Conflict) => Ok(None),
            Err(AppendError::Claimed(claim)) => {
                Ok(attempt.fresh.then(|| Reply::Refused(Refusal::taken(&claim))))
            }
            Err(AppendError::Unknown(error)) => {
                attempt.unknown = Some(error);
                Ok(None)
            }
            // An earlier append may have landed all the same: reading back tells.
            Err(AppendError::Failed(error)) if attempt.unknown.is_some() => {
                attempt.unknown = Some(error);
                Ok(None)
            }
            Err(AppendError::Failed(error)) => Err(ExecuteError::Unavailable(error)),
        }
    }

    /// Takes in what was stored since.
    ///
    /// An append without an answer may still land: only a successful read can settle it, so a failed one is
    /// passed over then, and the next attempt reads again.
    async fn refresh(&self, attempt: &mut Attempt<A>) -> Result<(), ExecuteError> {
        match self.catch_up(&attempt.stream, &mut attempt.root).await {
            Ok(()) => {
                attempt.fresh = true;
                Ok(())
            }
            Err(ExecuteError::Unavailable(error)) if attempt.unknown.is_some() => {
                attempt.unknown = Some(error);
                attempt.fresh = false;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// The outcome that the command had when it was sent before, from the events themselves; `None` when it has none.
    async fn earlier_outcome<C: Command>(
        &self,
        command: &CommandEnvelope<C>,
        attempt: &Attempt<A>,
    ) -> Result<Option<Reply<A>>, ExecuteError> {
        let history = self.history(&attempt.stream).await.map_err(|error| match error {
            // That it is stored is known: nobody may say that nothing was changed.
            ExecuteError::Unavailable(error) => ExecuteError::OutcomeUnknown(error),
            error => error,
        })?;
        let mut root = Root::<A>::default();
        let (mut events, mut outcome) = (Vec::new(), None);
        for event in &history {
            root.catch_up(std::slice::from_ref(event))?;
            if event.event.metadata.causation_id == command.id {
                if !attempt.marks.are_of(event.event.metadata.fingerprint) {
                    return Ok(Some(Reply::Refused(Refusal::reused())));
                }
                events.extend(refs(std::slice::from_ref(&event.event)));
                outcome = Some((root.state.clone(), root.head));
            }
        }
        let id = attempt.stream.aggregate_id;
        Ok(outcome.map(|(state, head)| accept(id, state, head, events, true)))
    }
}

fn not_there_yet() -> StoreError {
    StoreError::new("reading the command's events", "they are not there yet")
}

impl<A> Attempt<A> {
    /// The error to end with: once an append has had no answer, nobody may claim that nothing was stored.
    fn give_up(&mut self, error: ExecuteError) -> ExecuteError {
        self.unknown.take().map_or(error, ExecuteError::OutcomeUnknown)
    }
}

fn is_late<C>(command: &CommandEnvelope<C>) -> bool {
    command.deadline.is_some_and(|deadline| deadline <= OffsetDateTime::now_utc())
}

fn refs(events: &[NewEvent]) -> Vec<EventRef> {
    let name = |event: &NewEvent| EventRef { id: event.id, event_type: event.event_type.clone() };
    events.iter().map(name).collect()
}

fn accept<A>(
    aggregate_id: AggregateId,
    state: A,
    head: Head,
    events: Vec<EventRef>,
    repeated: bool,
) -> Reply<A> {
    Reply::Accepted(Accepted {
        aggregate_id,
        version: head.version,
        position: head.position,
        stream: None,
        events,
        repeated,
        state,
    })
}
