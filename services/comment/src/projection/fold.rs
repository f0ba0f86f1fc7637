//! What events change in the tables. Pure: it knows no database.

use std::collections::BTreeMap;

use contracts::{
    article::{self, DELETED},
    comment::{CommentAdded, CommentEvent},
};
use eventsourcing::{RecordedEvent, StreamId};
use messaging::{consumer::Rejected, names::EventSubject};
use read_model::rfc3339;
use uuid::Uuid;

/// A row of `comments`.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct CommentRow {
    pub(super) number: i64,
    pub(super) id: Uuid,
    pub(super) article_id: Uuid,
    pub(super) author_id: String,
    pub(super) text: String,
    pub(super) version: i64,
    pub(super) created_at: String,
    pub(super) deleted: bool,
}

/// A row of `articles`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct ArticleRow {
    pub(super) id: Uuid,
    pub(super) deleted: bool,
}

/// A row that a fold has to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// Of a comment.
    Comment(CommentRow),
    /// Of an article.
    Article(ArticleRow),
}

/// Rows that are new or changed, as they are afterwards.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    pub(super) comments: Vec<CommentRow>,
    pub(super) articles: Vec<ArticleRow>,
}

/// Folds a batch of events into what they change.
#[derive(Debug, Default)]
pub(super) struct Fold {
    /// Each with whether it is changed.
    comments: BTreeMap<Uuid, (CommentRow, bool)>,
    articles: BTreeMap<Uuid, (ArticleRow, bool)>,
    rejected: Vec<Rejected>,
}

impl Fold {
    /// Begins with what the tables have.
    pub(super) fn new(known: Vec<Row>) -> Self {
        let mut fold = Self::default();
        for row in known {
            match row {
                Row::Comment(row) => drop(fold.comments.insert(row.id, (row, false))),
                Row::Article(row) => drop(fold.articles.insert(row.id, (row, false))),
            }
        }
        fold
    }

    /// Applies `event`, which comes behind all those before.
    pub(super) fn apply(&mut self, event: &RecordedEvent) {
        let applied = if event.context == article::CONTEXT {
            self.article(event);
            Ok(())
        } else {
            self.comment(event)
        };
        if let Err(reason) = applied {
            let stream = StreamId::new(event.context.clone(), event.aggregate_id);
            let (position, subject) = (event.position, EventSubject(stream).to_string());
            self.rejected.push(Rejected { position, subject, reason });
        }
    }

    /// Only whether it is there: the type of each of its events says so by itself, so none has to follow another one, and no data is
    /// read.
    fn article(&mut self, event: &RecordedEvent) {
        let (id, deleted) = (event.aggregate_id.as_uuid(), event.event.event_type == DELETED);
        let known = self.articles.get(&id).map(|(row, _)| row.deleted);
        // What was redriven is not the last word.
        if known.is_none_or(|known| deleted && !known) {
            self.articles.insert(id, (ArticleRow { id, deleted }, true));
        }
    }

    fn comment(&mut self, event: &RecordedEvent) -> Result<(), String> {
        let data: CommentEvent = event.decode().map_err(|error| error.to_string())?;
        let id = event.aggregate_id.as_uuid();
        let version = self.comments.get(&id).map_or(0, |(row, _)| row.version);
        let follows = i64::try_from(event.event.version).unwrap_or(i64::MAX);
        if follows <= version {
            // It was redriven, and the crash came before it was taken out of the dead letters.
            return Ok(());
        }
        if follows != version + 1 {
            return Err(format!("version {follows} does not follow {version}"));
        }
        match (data, self.comments.get_mut(&id)) {
            (CommentEvent::Added(added), None) => {
                let row = new(event, added)?;
                self.comments.insert(id, (row, true));
            }
            (CommentEvent::Deleted(_), Some((row, is_changed))) if !row.deleted => {
                row.text.clear();
                (row.deleted, row.version, *is_changed) = (true, follows, true);
            }
            _ => return Err("it does not fit what the comment is".to_owned()),
        }
        Ok(())
    }

    /// What all of them change, and what could not be applied.
    pub(super) fn finish(self) -> (Changes, Vec<Rejected>) {
        fn changed<T>(rows: BTreeMap<Uuid, (T, bool)>) -> Vec<T> {
            rows.into_values().filter_map(|(row, is_changed)| is_changed.then_some(row)).collect()
        }
        let (comments, articles) = (changed(self.comments), changed(self.articles));
        (Changes { comments, articles }, self.rejected)
    }
}

fn new(event: &RecordedEvent, added: CommentAdded) -> Result<CommentRow, String> {
    if added.text.contains('\0') {
        return Err("a text has the character U+0000".to_owned());
    }
    Ok(CommentRow {
        number: i64::try_from(event.position).map_err(|error| error.to_string())?,
        id: event.aggregate_id.as_uuid(),
        article_id: added.article_id.as_uuid(),
        author_id: added.author_id.to_string(),
        text: added.text,
        version: 1,
        created_at: rfc3339(event.event.time),
        deleted: false,
    })
}
