use contracts::article::{
    Article as View, Change, GetHistory, HistoryEntry, HistoryPage, MAX_PAGE,
};
use eventsourcing::{AggregateId, FieldError, RecordedEvent, Refusal};
use serde_json::{Value, json};

use super::{Fault, FromEvents, apply};
use crate::domain::Article;

const DEFAULT_PAGE: u32 = 20;
/// A page ends behind the entry that makes it longer than this: a reply must fit a message.
const MAX_BYTES: usize = 400 * 1024;

impl FromEvents for GetHistory {
    fn id(&self) -> AggregateId {
        self.id
    }

    fn answer(&self, events: &[RecordedEvent]) -> Result<HistoryPage, Fault> {
        let limit = self.limit.unwrap_or(DEFAULT_PAGE);
        if !(1..=MAX_PAGE).contains(&limit) {
            let detail = format!("must be a whole number from 1 to {MAX_PAGE}");
            return Err(Refusal::invalid(vec![FieldError::new("limit", detail)]).into());
        }
        let after = self.after.unwrap_or_default();
        let (mut article, mut items, mut size) = (Article::default(), Vec::new(), 0);
        for event in events {
            if items.len() == limit as usize || size > MAX_BYTES {
                let next = items.last().map(|last: &HistoryEntry| last.version);
                return Ok(HistoryPage { items, next });
            }
            let before = fields(&article);
            apply(&mut article, event)?;
            if event.event.version > after {
                let changes = changes(before, fields(&article));
                let length =
                    |change: &Change| change.from.to_string().len() + change.to.to_string().len();
                size += changes.iter().map(length).sum::<usize>();
                items.push(entry(event, changes));
            }
        }
        Ok(HistoryPage { items, next: None })
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
