//! A page of an aggregate's history.

use eventsourcing::{
    EventStore, FieldError, RecordedEvent, Refusal,
    history::{Change, HistoryEntry, HistoryPage},
    query::{DEFAULT_PAGE, MAX_PAGE},
};
use serde_json::Value;

use super::{Fault, Past, Replay};

/// A page ends behind the entry that makes it longer than this: a reply must fit a message.
const MAX_BYTES: usize = 400 * 1024;

/// The fields of an aggregate that a reader of its history sees, each with its value; null when there is none.
pub type Fields = Vec<(&'static str, Value)>;

/// What happened behind the version `after`, oldest first: at most `limit` events, [`DEFAULT_PAGE`] when absent, each with the
/// `fields` that are different after it.
///
/// `fields` names the same fields in the same order for every state.
///
/// # Errors
/// `limit` is out of bounds, or the events cannot be read.
pub async fn page<A: Past, S: EventStore>(
    past: &mut Replay<'_, A, S>,
    after: Option<u64>,
    limit: Option<u32>,
    fields: fn(&A) -> Fields,
) -> Result<HistoryPage, Fault> {
    let limit = limit.unwrap_or(DEFAULT_PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        let detail = format!("must be a whole number from 1 to {MAX_PAGE}");
        return Err(Refusal::invalid(vec![FieldError::new("limit", detail)]).into());
    }
    let (mut items, mut size) = (Vec::new(), 0);
    while items.len() < limit as usize && size <= MAX_BYTES {
        let Some(event) = past.next().await? else { break };
        let is_shown = event.event.version > after.unwrap_or_default();
        let before = is_shown.then(|| fields(past.state()));
        past.apply(&event)?;
        if let Some(before) = before {
            let changes = changes(before, fields(past.state()));
            let length =
                |change: &Change| change.from.to_string().len() + change.to.to_string().len();
            size += changes.iter().map(length).sum::<usize>();
            items.push(entry(&event, changes));
        }
    }
    let last = items.last().map(|last: &HistoryEntry| last.version);
    Ok(HistoryPage { items, next: last.filter(|_| past.has_more()) })
}

fn entry(event: &RecordedEvent, changes: Vec<Change>) -> HistoryEntry {
    let (event, position) = (&event.event, event.position);
    HistoryEntry {
        version: event.version,
        event_type: event.event_type.clone(),
        time: event.time,
        user_id: event.metadata.user_id.clone(),
        event_id: event.id,
        command_id: event.metadata.causation_id,
        correlation_id: event.metadata.correlation_id.clone(),
        position,
        changes,
    }
}

fn changes(before: Fields, after: Fields) -> Vec<Change> {
    let pairs = before.into_iter().zip(after);
    let changed = pairs.filter(|((_, from), (_, to))| from != to);
    changed.map(|((field, from), (_, to))| Change { field: field.to_owned(), from, to }).collect()
}
