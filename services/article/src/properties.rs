//! Any sequence of commands has the same replies and leaves the same events, however the aggregates are read.

use std::sync::Arc;

use contracts::article::{CreateArticle, DeleteArticle, UpdateArticle};
use eventsourcing::{
    Actor, AggregateId, CommandEnvelope, CommandId, ExecuteError, Executor, MemoryEventStore,
    MemorySnapshotStore, RecordedEvent, Reply,
};
use proptest::{collection::vec, prelude::*};
use time::OffsetDateTime;

use crate::domain::{
    Article,
    testing::{ann, bob, bounded, editor},
};

/// How many articles a sequence is about: few, so that commands meet.
const ARTICLES: u8 = 3;

/// A command of a sequence. Its `key` may be that of another, which makes it a repeat or a reuse.
#[derive(Debug, Clone)]
struct Step {
    verb: Verb,
    article: u8,
    actor: u8,
    key: u8,
    expected_version: Option<u64>,
    title: String,
    slug: Option<String>,
    tags: Vec<String>,
    /// Whether the process ends behind it, which leaves snapshots.
    ends: bool,
}

#[derive(Debug, Clone, Copy)]
enum Verb {
    Create,
    Update,
    Delete,
}

fn step() -> impl Strategy<Value = Step> {
    let verb =
        prop_oneof![3 => Just(Verb::Create), 6 => Just(Verb::Update), 1 => Just(Verb::Delete)];
    let version = prop_oneof![4 => Just(None), 1 => (0..6_u64).prop_map(Some)];
    let title = prop_oneof!["[a-c]", "\\PC{0,5}"];
    let slug = prop_oneof![Just(None), "[ab]".prop_map(Some)];
    let tags = vec("[ A-Ca-c]{0,3}", 0..3);
    (verb, 0..ARTICLES, 0..3_u8, 0..12_u8, version, title, slug, tags, any::<bool>()).prop_map(
        |(verb, article, actor, key, expected_version, title, slug, tags, ends)| Step {
            verb,
            article,
            actor,
            key,
            expected_version,
            title,
            slug,
            tags,
            ends,
        },
    )
}

/// The id of the command that creates an article, and of the article.
fn ids(article: u8) -> (CommandId, AggregateId) {
    let creates = CommandId::from_key(&ann().user_id, &format!("creates {article}"));
    (creates, creates.creates("article"))
}

type Outcome = Result<Reply<Article>, String>;

impl Step {
    fn envelope<C>(&self, id: CommandId, data: C) -> CommandEnvelope<C>
    where
        C: eventsourcing::Command,
    {
        let actor: Actor = [ann(), bob(), editor()][usize::from(self.actor)].clone();
        CommandEnvelope {
            id,
            issued_at: OffsetDateTime::UNIX_EPOCH,
            correlation_id: "test".parse().expect("valid"),
            expected_version: self.expected_version,
            ..CommandEnvelope::new(actor, data)
        }
    }

    async fn run<S, P>(&self, executor: &Executor<Article, S, P>) -> Outcome
    where
        S: eventsourcing::EventStore,
        P: eventsourcing::SnapshotStore,
    {
        let (creates, article) = ids(self.article);
        let key = CommandId::from_key(&ann().user_id, &self.key.to_string());
        let (title, content) = (self.title.clone(), "C".to_owned());
        let (slug, tags) = (self.slug.clone(), self.tags.clone());
        let reply = match self.verb {
            Verb::Create => {
                let data = bounded(CreateArticle { title, content, slug, tags });
                executor.execute(&self.envelope(creates, data)).await
            }
            Verb::Update => {
                let data =
                    bounded(UpdateArticle { id: article, title, content, slug, tags: Some(tags) });
                executor.execute(&self.envelope(key, data)).await
            }
            Verb::Delete => {
                let data = DeleteArticle { id: article };
                executor.execute(&self.envelope(key, data)).await
            }
        };
        reply.map_err(|error: ExecuteError| error.to_string())
    }
}

/// One process that keeps what it knows.
async fn live(steps: &[Step]) -> (Vec<Outcome>, Vec<RecordedEvent>) {
    let store = Arc::new(MemoryEventStore::default());
    let executor = Executor::new(store.clone());
    let mut outcomes = Vec::new();
    for step in steps {
        outcomes.push(step.run(&executor).await);
    }
    (outcomes, store.all())
}

/// A process for each command, which reads all events.
async fn replayed(steps: &[Step]) -> (Vec<Outcome>, Vec<RecordedEvent>) {
    let store = Arc::new(MemoryEventStore::default());
    let mut outcomes = Vec::new();
    for step in steps {
        outcomes.push(step.run(&Executor::new(store.clone())).await);
    }
    (outcomes, store.all())
}

/// A process for each command, which reads the last snapshot and the rest; some leave snapshots.
async fn snapshotted(steps: &[Step]) -> (Vec<Outcome>, Vec<RecordedEvent>) {
    let store = Arc::new(MemoryEventStore::default());
    let snapshots = Arc::new(MemorySnapshotStore::default());
    let mut outcomes = Vec::new();
    for step in steps {
        let executor = Executor::with_snapshots(store.clone(), snapshots.clone());
        outcomes.push(step.run(&executor).await);
        if step.ends {
            executor.retire();
        }
    }
    (outcomes, store.all())
}

proptest! {
    #[test]
    fn live_replayed_and_snapshotted_are_the_same(steps in vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let live = runtime.block_on(live(&steps));
        prop_assert_eq!(&live, &runtime.block_on(replayed(&steps)));
        prop_assert_eq!(&live, &runtime.block_on(snapshotted(&steps)));
        invariants(&live.1)?;
    }
}

/// Versions are dense, each event is there once, and no two live articles share a slug.
fn invariants(events: &[RecordedEvent]) -> Result<(), TestCaseError> {
    let mut articles = std::collections::HashMap::<AggregateId, (u64, Article)>::new();
    let mut seen = std::collections::HashSet::new();
    for event in events {
        prop_assert!(seen.insert(event.event.id), "an event is there twice");
        let (version, article) = articles.entry(event.aggregate_id).or_default();
        *version += 1;
        prop_assert_eq!(event.event.version, *version);
        let fact = event.decode().map_err(|error| TestCaseError::fail(error.to_string()))?;
        eventsourcing::Aggregate::apply(article, fact, &event.context());
        let mut claims: Vec<_> = articles
            .values()
            .flat_map(|(_, article)| eventsourcing::Aggregate::claims(article))
            .map(|claim| claim.value)
            .collect();
        claims.sort();
        let held = claims.len();
        claims.dedup();
        prop_assert_eq!(claims.len(), held, "two live articles share a slug");
    }
    Ok(())
}
