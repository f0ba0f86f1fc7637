//! What events change in the tables. Pure: it knows no database.

use std::collections::{BTreeMap, HashMap};

use contracts::article::{ArticleCreated, ArticleEvent, ArticleUpdated};
use eventsourcing::{RecordedEvent, StreamId};
use messaging::{consumer::Rejected, names::EventSubject};
use read_model::rfc3339;
use sqlx::types::Json;
use uuid::Uuid;

use super::rows::{ArticleRow, AuthorChange, Changes, DayRow};

/// The longest key, in bytes: an index takes no more. Commands let only much shorter ones through.
const MAX_KEY: usize = 1000;

/// Folds a batch of events into what they change.
#[derive(Debug, Default)]
pub(super) struct Fold {
    articles: HashMap<Uuid, Entry>,
    authors: BTreeMap<String, AuthorChange>,
    days: BTreeMap<String, DayRow>,
    rejected: Vec<Rejected>,
}

#[derive(Debug)]
struct Entry {
    row: ArticleRow,
    /// What the tables have of it.
    stored: Option<Stored>,
    is_changed: bool,
}

#[derive(Debug)]
struct Stored {
    is_deleted: bool,
    tags: Vec<String>,
}

/// What an event counts as.
enum Kind {
    Created,
    Updated,
    Deleted,
}

impl Fold {
    /// The articles that the events of `events` are about.
    pub(super) fn ids(events: &[&RecordedEvent]) -> Vec<Uuid> {
        let mut ids: Vec<Uuid> = events.iter().map(|event| event.aggregate_id.as_uuid()).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Begins with what the tables have of the articles that the events are about.
    pub(super) fn new(known: Vec<ArticleRow>) -> Self {
        let entry = |row: ArticleRow| {
            let stored = Stored { is_deleted: row.deleted, tags: row.tags.0.clone() };
            (row.id, Entry { row, stored: Some(stored), is_changed: false })
        };
        Self { articles: known.into_iter().map(entry).collect(), ..Self::default() }
    }

    /// Applies `event`, which comes behind all those before.
    pub(super) fn apply(&mut self, event: &RecordedEvent) {
        if let Err(reason) = self.try_apply(event) {
            let stream = StreamId::new(event.context.clone(), event.aggregate_id);
            let (position, subject) = (event.position, EventSubject(stream).to_string());
            self.rejected.push(Rejected { position, subject, reason });
        }
    }

    fn try_apply(&mut self, event: &RecordedEvent) -> Result<(), String> {
        let data: ArticleEvent = event.decode().map_err(|error| error.to_string())?;
        let known = self.articles.get(&event.aggregate_id.as_uuid());
        let version = known.map_or(0, |entry| entry.row.version);
        let follows = i64::try_from(event.event.version).unwrap_or(i64::MAX);
        if follows <= version {
            // It was redriven, and the crash came before it was taken out of the dead letters.
            return Ok(());
        }
        if follows != version + 1 {
            return Err(format!("version {follows} does not follow {version}"));
        }
        let position = i64::try_from(event.position).map_err(|error| error.to_string())?;
        let utc = event.event.time.checked_to_offset(time::UtcOffset::UTC);
        let day = utc.ok_or("its time is out of range")?.date().to_string();
        let kind = match data {
            ArticleEvent::Created(created) if version == 0 => {
                self.create(event, position, created)?
            }
            ArticleEvent::Updated(updated) => self.update(event, updated)?,
            ArticleEvent::Deleted(_) => self.delete(event)?,
            ArticleEvent::Created(_) => return Err("the article was created before".to_owned()),
        };
        self.count(event, position, day, &kind);
        Ok(())
    }

    fn create(
        &mut self,
        event: &RecordedEvent,
        created_position: i64,
        created: ArticleCreated,
    ) -> Result<Kind, String> {
        let time = rfc3339(event.event.time);
        let row = ArticleRow {
            created_position,
            id: event.aggregate_id.as_uuid(),
            title: text(created.title)?,
            content: text(created.content)?,
            author_id: created.author_id.to_string(),
            slug: created.slug.map(text).transpose()?,
            tags: Json(texts(created.tags)?),
            version: 1,
            created_at: time.clone(),
            updated_at: time,
            deleted: false,
        };
        self.articles.insert(row.id, Entry { row, stored: None, is_changed: true });
        Ok(Kind::Created)
    }

    fn update(&mut self, event: &RecordedEvent, updated: ArticleUpdated) -> Result<Kind, String> {
        let (title, content) = (text(updated.title)?, text(updated.content)?);
        let slug = updated.slug.map(text).transpose()?;
        let tags = updated.tags.map(texts).transpose()?;
        let row = self.next_version(event)?;
        (row.title, row.content) = (title, content);
        row.slug = slug.or(row.slug.take());
        if let Some(tags) = tags {
            row.tags = Json(tags);
        }
        Ok(Kind::Updated)
    }

    /// The row stays, without its content: who asks for it shall hear that it is gone.
    fn delete(&mut self, event: &RecordedEvent) -> Result<Kind, String> {
        let row = self.next_version(event)?;
        row.content.clear();
        row.deleted = true;
        Ok(Kind::Deleted)
    }

    fn next_version(&mut self, event: &RecordedEvent) -> Result<&mut ArticleRow, String> {
        let entry = self.articles.get_mut(&event.aggregate_id.as_uuid());
        let entry = entry.ok_or("the article was not created before")?;
        if entry.row.deleted {
            return Err("the article was deleted before".to_owned());
        }
        entry.is_changed = true;
        entry.row.version += 1;
        entry.row.updated_at = rfc3339(event.event.time);
        Ok(&mut entry.row)
    }

    fn count(&mut self, event: &RecordedEvent, position: i64, day: String, kind: &Kind) {
        let counts =
            self.days.entry(day.clone()).or_insert_with(|| DayRow { day, ..DayRow::default() });
        let (articles, created) = match kind {
            Kind::Created => (1, 1),
            Kind::Updated => (0, 0),
            Kind::Deleted => (-1, 0),
        };
        match kind {
            Kind::Created => counts.created += 1,
            Kind::Updated => counts.updated += 1,
            Kind::Deleted => counts.deleted += 1,
        }
        let Some(entry) = self.articles.get(&event.aggregate_id.as_uuid()) else { return };
        let author = self.authors.entry(entry.row.author_id.clone());
        let author = author.or_insert_with_key(|id| AuthorChange {
            author_id: id.clone(),
            articles: 0,
            created: 0,
            last_activity: String::new(),
            last_position: 0,
        });
        author.articles += articles;
        author.created += created;
        author.last_activity.clone_from(&entry.row.updated_at);
        author.last_position = position;
    }

    /// What all of them change, and what could not be applied.
    pub(super) fn finish(self) -> (Changes, Vec<Rejected>) {
        let mut changes = Changes {
            authors: self.authors.into_values().collect(),
            days: self.days.into_values().collect(),
            ..Changes::default()
        };
        let mut entries: Vec<Entry> =
            self.articles.into_values().filter(|entry| entry.is_changed).collect();
        entries.sort_unstable_by_key(|entry| entry.row.created_position);
        for Entry { row, stored, .. } in entries {
            let old_tags = match stored {
                Some(stored) if stored.is_deleted => Vec::new(),
                Some(stored) => {
                    changes.unindexed.push(row.created_position);
                    stored.tags
                }
                None => Vec::new(),
            };
            let tags = if row.deleted { &[][..] } else { &row.tags.0[..] };
            if old_tags != tags {
                if !old_tags.is_empty() {
                    changes.untagged.push(row.created_position);
                }
                let mut tags = tags.to_vec();
                tags.sort_unstable();
                tags.dedup();
                changes.tags.extend(tags.into_iter().map(|tag| (row.created_position, tag)));
            }
            changes.articles.push(row);
        }
        (changes, self.rejected)
    }
}

/// A text that a database takes. Commands let no other through, but a writer of events might.
fn text(text: String) -> Result<String, String> {
    if text.contains('\0') {
        return Err("a text has the character U+0000".to_owned());
    }
    Ok(text)
}

/// Tags, which are also keys.
fn texts(texts: Vec<String>) -> Result<Vec<String>, String> {
    if texts.iter().any(|text| text.len() > MAX_KEY) {
        return Err(format!("a tag is longer than {MAX_KEY} bytes"));
    }
    texts.into_iter().map(text).collect()
}
