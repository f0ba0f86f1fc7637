use crate::{
    Accepted, Aggregate, AggregateId, ClaimChanges, Command, CommandEnvelope, Commit, Decide,
    EventContext, EventData, ExecuteError, Fingerprint, Fingerprints, Metadata, NewEvent, Reply,
    cache::Root,
};

/// What a command means for an aggregate: an answer without an event, or events and the state after them.
pub(super) enum Plan<A> {
    Answer(Reply<A>),
    Append(A, Commit),
}

pub(super) fn plan<A, C>(
    command: &CommandEnvelope<C>,
    aggregate_id: AggregateId,
    (fingerprint, fingerprints): (Fingerprint, &Fingerprints),
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
    if let Some(refusal) = command.refusal_at(root.head.version) {
        return Ok(Plan::Answer(Reply::Refused(refusal)));
    }
    if decided.is_empty() {
        return Ok(Plan::Answer(unchanged(aggregate_id, root)));
    }
    // A clock may have been set back, or be another host's.
    let time = root.time.map_or(command.issued_at, |last| last.max(command.issued_at));
    let mut state = root.state.clone();
    let mut events = Vec::with_capacity(decided.len());
    for (index, event) in decided.into_iter().enumerate() {
        let version = root.head.version + 1 + index as u64;
        let new = NewEvent {
            id: command.id.event_id(aggregate_id, index),
            event_type: event.event_type().to_owned(),
            schema_version: event.schema_version(),
            version,
            time,
            metadata: Metadata::of(command, fingerprint),
            data: event.encode()?,
        };
        state.apply(event, &EventContext { aggregate_id, version: new.version, time: new.time });
        events.push(new);
    }
    let claims = ClaimChanges::between(&root.state.claims(), &state.claims());
    let claims = claims.with_fingerprints(fingerprints.clone());
    Ok(Plan::Append(state, Commit { events, claims }))
}

fn unchanged<A: Aggregate>(aggregate_id: AggregateId, root: &Root<A>) -> Reply<A> {
    Reply::Accepted(Accepted {
        aggregate_id,
        version: root.head.version,
        position: root.head.position,
        stream: None,
        events: Vec::new(),
        repeated: false,
        state: root.state.clone(),
    })
}
