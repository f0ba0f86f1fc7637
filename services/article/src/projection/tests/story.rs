//! Events as they would come from the stream, without one.

use std::collections::HashMap;

use contracts::article::{ArticleCreated, ArticleDeleted, ArticleEvent, ArticleUpdated};
use eventsourcing::{
    AggregateId, CommandId, CorrelationId, EventData, Fingerprint, Metadata, NewEvent,
    RecordedEvent, StreamIdentity,
};
use messaging::{Mark, consumer::Rejected};
use read_model::testing::{ChangesOf, Step, Tables, fold};
use test_support::user;
use time::{Duration, OffsetDateTime, macros::datetime};
use uuid::Uuid;

use crate::projection::Articles;

const BEGIN: OffsetDateTime = datetime!(2024-02-28 23:59:59.123456789 UTC);

/// A growing stream.
#[derive(Default)]
pub(super) struct Story {
    pub events: Vec<RecordedEvent>,
    versions: HashMap<Uuid, u64>,
}

/// What an article is created with.
pub(super) fn created(author: &str, title: &str, content: &str, tags: &[&str]) -> ArticleEvent {
    create(author, title, content, tags, None)
}

/// An article of ann with a slug.
pub(super) fn slugged(title: &str, slug: Option<&str>) -> ArticleEvent {
    create("ann", title, "C", &[], slug)
}

fn create(
    author: &str,
    title: &str,
    content: &str,
    tags: &[&str],
    slug: Option<&str>,
) -> ArticleEvent {
    ArticleEvent::from(ArticleCreated {
        title: title.to_owned(),
        content: content.to_owned(),
        author_id: user(author),
        slug: slug.map(str::to_owned),
        tags: tags.iter().map(ToString::to_string).collect(),
    })
}

pub(super) fn updated(title: &str, content: &str, tags: Option<&[&str]>) -> ArticleEvent {
    ArticleEvent::from(ArticleUpdated {
        title: title.to_owned(),
        content: content.to_owned(),
        author_id: user("ann"),
        slug: None,
        tags: tags.map(|tags| tags.iter().map(ToString::to_string).collect()),
    })
}

pub(super) fn deleted() -> ArticleEvent {
    ArticleEvent::from(ArticleDeleted { title: "T".to_owned(), author_id: user("ann") })
}

impl Story {
    /// Puts `event` of the article `id` at the end. Positions have gaps, as in the stream.
    pub(super) fn push(&mut self, id: Uuid, event: &ArticleEvent) -> u64 {
        let version = self.versions.entry(id).or_default();
        *version += 1;
        let position = self.events.last().map_or(0, |event| event.position) + 2;
        self.events.push(recorded(id, event, *version, position));
        position
    }

    /// A new article.
    pub(super) fn create(
        &mut self,
        author: &str,
        title: &str,
        content: &str,
        tags: &[&str],
    ) -> Uuid {
        let id = Uuid::now_v7();
        self.push(id, &created(author, title, content, tags));
        id
    }

    /// Puts all of `other` at the end.
    pub(super) fn extend(&mut self, other: Self) {
        let end = self.end();
        let moved = other
            .events
            .into_iter()
            .map(|event| RecordedEvent { position: end + event.position, ..event });
        self.events.extend(moved);
    }

    /// The position of the last event.
    pub(super) fn end(&self) -> u64 {
        self.events.last().map_or(0, |event| event.position)
    }

    /// Folds what is new to `tables` into them, `size` events a time.
    pub(super) async fn tell<T: Tables<Model = Articles>>(
        &self,
        tables: &T,
        size: usize,
    ) -> Vec<Rejected> {
        let epoch = 1;
        let mut from = tables.fence(epoch).await.expect("the tables").expect("ours");
        let mut rejected = Vec::new();
        let new: Vec<_> =
            self.events.iter().filter(|event| event.position > from).cloned().collect();
        for batch in new.chunks(size) {
            let (changes, unfit) = fold(tables, batch, &[]).await.expect("the tables");
            let to = batch.last().expect("not empty").position;
            commit(tables, &changes, step(from, to, epoch)).await;
            (from, rejected) = (to, [rejected, unfit].concat());
        }
        rejected
    }
}

/// A step in a stream of its own.
pub(super) fn step(from: u64, to: u64, epoch: i64) -> Step {
    let stream = StreamIdentity::new(Uuid::from_u128(1));
    Step { from, to: Mark { stream, position: to, stored_at: 0 }, epoch }
}

pub(super) async fn commit<T: Tables<Model = Articles>>(
    tables: &T,
    changes: &ChangesOf<T>,
    step: Step,
) {
    assert!(tables.commit(changes, step).await.expect("the tables"), "{step:?}");
}

pub(super) fn recorded(
    id: Uuid,
    event: &ArticleEvent,
    version: u64,
    position: u64,
) -> RecordedEvent {
    let (command, aggregate_id) = (CommandId::generate(), AggregateId::from(id));
    let hours = i64::try_from(position).expect("a small position");
    RecordedEvent {
        context: "article".to_owned(),
        aggregate_id,
        position,
        event: NewEvent {
            id: command.event_id(aggregate_id, 0),
            event_type: event.event_type().to_owned(),
            schema_version: event.schema_version(),
            version,
            time: BEGIN + Duration::hours(hours),
            metadata: Metadata {
                correlation_id: CorrelationId::generate(),
                causation_id: command,
                fingerprint: Fingerprint::of("test", b""),
                user_id: user("ann"),
                traceparent: None,
            },
            data: event.encode().expect("events are plain JSON"),
        },
    }
}
