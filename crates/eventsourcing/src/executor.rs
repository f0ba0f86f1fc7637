//! Load, decide, append: the one loop that every command goes through.

use std::marker::PhantomData;

use time::OffsetDateTime;

use crate::{
    Accepted, Aggregate, AppendError, Command, CommandEnvelope, CommandId, Decide, DecodeError,
    EventData, EventRef, EventStore, Fingerprint, Head, Metadata, NewEvent, RecordedEvent, Refusal,
    Reply, StoreError, StreamId,
};

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
#[derive(Debug, Clone)]
pub struct Executor<A, S> {
    store: S,
    aggregate: PhantomData<fn() -> A>,
}

/// An aggregate as the store knows it, and what the command in hand already did to it.
struct Loaded<A> {
    state: A,
    head: Head,
    earlier: Option<Earlier<A>>,
}

/// The outcome of an earlier sending of the same command id.
struct Earlier<A> {
    fingerprint: Fingerprint,
    state: A,
    head: Head,
    events: Vec<EventRef>,
}

impl<A: Aggregate, S: EventStore> Executor<A, S> {
    /// An executor over `store`.
    pub fn new(store: S) -> Self {
        Self { store, aggregate: PhantomData }
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
        let fingerprint = command.fingerprint()?;
        let stream = StreamId::new(A::CONTEXT, command.aggregate_id());
        let mut unknown = None;
        for _ in 0..MAX_ATTEMPTS {
            if command.deadline.is_some_and(|deadline| deadline <= OffsetDateTime::now_utc()) {
                return Err(unknown.map_or(ExecuteError::Expired, ExecuteError::OutcomeUnknown));
            }
            let loaded = match self.load(&stream, command.id).await {
                Ok(loaded) => loaded,
                // An append without an answer may still land: only a successful read can settle it.
                Err(ExecuteError::Unavailable(error)) if unknown.is_some() => {
                    unknown = Some(error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let (next, events) = match plan(command, fingerprint, loaded)? {
                Plan::Answer(reply) => return Ok(reply),
                Plan::Append(next, events) => (next, events),
            };
            match self.store.append(&stream, next.head, events.clone()).await {
                Ok(head) => return Ok(accept(command, next.state, head, &events)),
                Err(AppendError::Conflict) => {}
                Err(AppendError::Unknown(error)) => unknown = Some(error),
                Err(AppendError::Failed(error)) => {
                    return Err(match unknown {
                        Some(first) => ExecuteError::OutcomeUnknown(first),
                        None => ExecuteError::Unavailable(error),
                    });
                }
            }
        }
        Err(unknown.map_or(ExecuteError::Contended, ExecuteError::OutcomeUnknown))
    }

    async fn load(&self, stream: &StreamId, id: CommandId) -> Result<Loaded<A>, ExecuteError> {
        let history =
            self.store.load(stream, Head::default()).await.map_err(ExecuteError::Unavailable)?;
        let mut loaded = Loaded { state: A::default(), head: Head::default(), earlier: None };
        for event in &history {
            loaded.state.apply(event.decode()?, &event.context());
            loaded.head = Head::from(event);
            if event.event.metadata.causation_id == id {
                loaded.remember(event);
            }
        }
        Ok(loaded)
    }
}

impl<A: Aggregate> Loaded<A> {
    fn remember(&mut self, event: &RecordedEvent) {
        let mut events = self.earlier.take().map_or_else(Vec::new, |earlier| earlier.events);
        events.push(EventRef { id: event.event.id, event_type: event.event.event_type.clone() });
        self.earlier = Some(Earlier {
            fingerprint: event.event.metadata.fingerprint,
            state: self.state.clone(),
            head: self.head,
            events,
        });
    }
}

/// What to do next: answer, or append these events to an aggregate in this state.
enum Plan<A> {
    Answer(Reply<A>),
    Append(Next<A>, Vec<NewEvent>),
}

/// The state after the planned events, and the last event before them.
struct Next<A> {
    state: A,
    head: Head,
}

fn plan<A, C>(
    command: &CommandEnvelope<C>,
    fingerprint: Fingerprint,
    loaded: Loaded<A>,
) -> Result<Plan<A>, ExecuteError>
where
    C: Command,
    A: Decide<C>,
{
    if let Some(earlier) = loaded.earlier {
        return Ok(Plan::Answer(repeat(command, fingerprint, earlier)));
    }
    let decided = match loaded.state.decide(&command.data, &command.actor) {
        Ok(decided) => decided,
        Err(refusal) => return Ok(Plan::Answer(Reply::Refused(refusal.into()))),
    };
    // After the rules: that an aggregate is not there, or not yours, says more than that it has moved on.
    if let Some(expected) = command.expected_version
        && expected != loaded.head.version
    {
        let refusal = Refusal::version_mismatch(expected, loaded.head.version);
        return Ok(Plan::Answer(Reply::Refused(refusal)));
    }
    if decided.is_empty() {
        return Ok(Plan::Answer(accept(command, loaded.state, loaded.head, &[])));
    }
    let mut next = Next { state: loaded.state, head: loaded.head };
    let mut events = Vec::with_capacity(decided.len());
    for (index, event) in decided.into_iter().enumerate() {
        let new = envelop(command, fingerprint, loaded.head.version, index, &event)?;
        next.state.apply(
            event,
            &crate::EventContext {
                aggregate_id: command.aggregate_id(),
                version: new.version,
                time: new.time,
            },
        );
        events.push(new);
    }
    Ok(Plan::Append(next, events))
}

fn envelop<C: Command, E: EventData>(
    command: &CommandEnvelope<C>,
    fingerprint: Fingerprint,
    version_before: u64,
    index: usize,
    event: &E,
) -> Result<NewEvent, ExecuteError> {
    Ok(NewEvent {
        id: command.id.event_id(index),
        event_type: event.event_type().to_owned(),
        schema_version: event.schema_version(),
        version: version_before + 1 + index as u64,
        time: command.issued_at,
        metadata: Metadata::of(command, fingerprint),
        data: event.encode()?,
    })
}

fn repeat<A, C: Command>(
    command: &CommandEnvelope<C>,
    fingerprint: Fingerprint,
    earlier: Earlier<A>,
) -> Reply<A> {
    if earlier.fingerprint != fingerprint {
        return Reply::Refused(Refusal::reused());
    }
    Reply::Accepted(Accepted {
        aggregate_id: command.aggregate_id(),
        version: earlier.head.version,
        position: earlier.head.position,
        events: earlier.events,
        repeated: true,
        state: earlier.state,
    })
}

fn accept<A, C: Command>(
    command: &CommandEnvelope<C>,
    state: A,
    head: Head,
    events: &[NewEvent],
) -> Reply<A> {
    Reply::Accepted(Accepted {
        aggregate_id: command.aggregate_id(),
        version: head.version,
        position: head.position,
        events: events
            .iter()
            .map(|event| EventRef { id: event.id, event_type: event.event_type.clone() })
            .collect(),
        repeated: false,
        state,
    })
}
