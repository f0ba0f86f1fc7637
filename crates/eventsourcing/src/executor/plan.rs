use crate::{
    Accepted, Aggregate, ClaimChanges, Command, CommandEnvelope, Commit, Decide, EventContext,
    EventData, ExecuteError, Fingerprint, Metadata, NewEvent, Refusal, Reply, cache::Root,
};

/// What a command means for an aggregate: an answer without an event, or events and the state after them.
pub(super) enum Plan<A> {
    Answer(Reply<A>),
    Append(A, Commit),
}

pub(super) fn plan<A, C>(
    command: &CommandEnvelope<C>,
    fingerprint: Fingerprint,
    root: &Root<A>,
) -> Result<Plan<A>, ExecuteError>
where
    C: Command,
    A: Decide<C>,
{
    let decided = match root.state.decide(&command.data, &command.actor) {
        Ok(decided) => decided,
        Err(refusal) => return Ok(Plan::Answer(Reply::Refused(refusal.into()))),
    };
    // After the rules: that an aggregate is not there, or not yours, says more than that it has moved on.
    if let Some(expected) = command.expected_version
        && expected != root.head.version
    {
        let refusal = Refusal::version_mismatch(expected, root.head.version);
        return Ok(Plan::Answer(Reply::Refused(refusal)));
    }
    if decided.is_empty() {
        return Ok(Plan::Answer(unchanged(command, root)));
    }
    let mut state = root.state.clone();
    let mut events = Vec::with_capacity(decided.len());
    for (index, event) in decided.into_iter().enumerate() {
        let new = envelop(command, fingerprint, root.head.version, index, &event)?;
        let aggregate_id = command.aggregate_id();
        state.apply(event, &EventContext { aggregate_id, version: new.version, time: new.time });
        events.push(new);
    }
    let claims = ClaimChanges::between(&root.state.claims(), &state.claims());
    Ok(Plan::Append(state, Commit { events, claims }))
}

fn envelop<C: Command, E: EventData>(
    command: &CommandEnvelope<C>,
    fingerprint: Fingerprint,
    version_before: u64,
    index: usize,
    event: &E,
) -> Result<NewEvent, ExecuteError> {
    Ok(NewEvent {
        id: command.id.event_id(command.aggregate_id(), index),
        event_type: event.event_type().to_owned(),
        schema_version: event.schema_version(),
        version: version_before + 1 + index as u64,
        time: command.issued_at,
        metadata: Metadata::of(command, fingerprint),
        data: event.encode()?,
    })
}

fn unchanged<A: Aggregate, C: Command>(command: &CommandEnvelope<C>, root: &Root<A>) -> Reply<A> {
    Reply::Accepted(Accepted {
        aggregate_id: command.aggregate_id(),
        version: root.head.version,
        position: root.head.position,
        events: Vec::new(),
        repeated: false,
        state: root.state.clone(),
    })
}
