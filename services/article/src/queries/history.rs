use contracts::article::{
    Article as View, Change, GetHistory, HistoryEntry, HistoryPage, MAX_PAGE,
};
use eventsourcing::{AggregateId, EventStore, FieldError, RecordedEvent, Refusal};
use serde_json::{Value, json};

use super::{Fault, FromEvents, past::Past};
use crate::domain::Article;

const DEFAULT_PAGE: u32 = 20;
/// A page ends behind the entry that makes it longer than this: a reply must fit a message.
const MAX_BYTES: usize = 400 * 1024;

impl FromEvents for GetHistory {
    fn id(&self) -> AggregateId {
        self.id
    }

    fn behind(&self) -> u64 {
        self.after.unwrap_or_default()
    }

    async fn answer<S: EventStore>(&self, past: &mut Past<'_, S>) -> Result<HistoryPage, Fault> {
        let limit = self.limit.unwrap_or(DEFAULT_PAGE);
        if !(1..=MAX_PAGE).contains(&limit) {
            let detail = format!("must be a whole number from 1 to {MAX_PAGE}");
            return Err(Refusal::invalid(vec![FieldError::new("limit", detail)]).into());
        }
        let (mut items, mut size) = (Vec::new(), 0);
        while items.len() < limit as usize && size <= MAX_BYTES {
            let Some(event) = past.next().await? else { break };
            let is_shown = event.event.version > self.behind();
            let before = is_shown.then(|| fields(past.article()));
            past.apply(&event)?;
            if let Some(before) = before {
                let changes = changes(before, fields(past.article()));
                let length =
                    |change: &Change| change.from.to_string().len() + change.to.to_string().len();
                size += changes.iter().map(length).sum::<usize>();
                items.push(entry(&event, changes));
            }
        }
        let last = items.last().map(|last: &HistoryEntry| last.version);
        Ok(HistoryPage { items, next: last.filter(|_| past.has_more()) })
    }
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

/// What a reader sees of an article that somebody can change; nothing of one that is not there.
fn fields(article: &Article) -> [(&'static str, Value); 4] {
    let seen = article.view().filter(|_| !article.is_deleted());
    let value = |of: fn(&View) -> Value| seen.map_or(Value::Null, of);
    [
        ("title", value(|article| json!(article.title))),
        ("content", value(|article| json!(article.content))),
        ("slug", value(|article| json!(article.slug))),
        ("tags", value(|article| json!(article.tags))),
    ]
}

fn changes(before: [(&'static str, Value); 4], after: [(&'static str, Value); 4]) -> Vec<Change> {
    let pairs = before.into_iter().zip(after);
    let changed = pairs.filter(|((_, from), (_, to))| from != to);
    changed.map(|((field, from), (_, to))| Change { field: field.to_owned(), from, to }).collect()
}
