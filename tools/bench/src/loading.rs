//! How long an aggregate takes to load when the stream is long: in the cache, from a snapshot, from its events.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use async_nats::Client;
use contracts::article::{ArticleEvent, CONTEXT, UpdateArticle};
use eventsourcing::{
    Actor, Aggregate, AggregateId, CommandEnvelope, CommandId, Decide, EventContext, EventStore,
    Executor, Refusal, RefusalKind, Reply, SnapshotStore, StreamId,
};
use messaging::{Connection, JetStreamEventStore, JetStreamSnapshots, event_codec, names};
use serde::{Deserialize, Serialize};
use test_support::{NatsServer, user};

use crate::{event::event, load::Measured, report::Loading};

/// How many events each aggregate has. They lie as far apart in the stream as they can.
const EVENTS_EACH: u64 = 10;
/// How many aggregates are loaded.
const SAMPLE: u64 = 500;
/// How many events are on their way at once while the stream is filled.
const WINDOW: u64 = 2000;

/// An aggregate that says no to everything, so that a command is a load and nothing else.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Article {
    title: String,
}

impl Aggregate for Article {
    const CONTEXT: &'static str = CONTEXT;
    const STATE_SCHEMA: u32 = 1;
    type Event = ArticleEvent;

    fn apply(&mut self, event: ArticleEvent, _: &EventContext) {
        if let ArticleEvent::Updated(updated) = event {
            self.title = updated.title;
        }
    }
}

impl Decide<UpdateArticle> for Article {
    type Refusal = Refusal;

    fn decide(&self, _: &UpdateArticle, _: &Actor) -> Result<Vec<ArticleEvent>, Refusal> {
        Err(Refusal::new(RefusalKind::Conflict, "loaded", self.title.clone()))
    }
}

/// Fills a stream with `events` events and loads aggregates from it.
pub async fn measure(events: u64) -> anyhow::Result<Vec<Loading>> {
    let server = NatsServer::provisioned_with_sync("1s").await;
    let aggregates: Vec<AggregateId> = (0..(events / EVENTS_EACH).max(SAMPLE))
        .map(|_| CommandId::generate().creates(CONTEXT))
        .collect();
    let start = Instant::now();
    fill(&server.client("article").await, &aggregates).await?;
    let stored = server.messages_in(names::EVENTS).await;
    service_kit::output::complain(format_args!(
        "{stored} events of {} aggregates in {:?}",
        aggregates.len(),
        start.elapsed()
    ));
    let connection = server.connect("article").await;
    let step = aggregates.len() / usize::try_from(SAMPLE)?;
    let sample: Vec<AggregateId> = aggregates.into_iter().step_by(step).collect();
    let store = || JetStreamEventStore::new(connection.clone());
    let snapshots = JetStreamSnapshots::start(connection.clone());

    let cold = load_all(&Executor::<Article, _>::new(store()), &sample).await?;
    let keeper = Executor::<Article, _, _>::with_snapshots(store(), snapshots.clone());
    load_all(&keeper, &sample).await?;
    let hot = load_all(&keeper, &sample).await?;
    keeper.retire();
    snapshots.close().await;
    let kept = with_snapshot(&connection, &sample).await;
    // A snapshot may get lost: what has none is loaded from its events, and so is not measured as if it had one.
    let (found, all) = (kept.len(), sample.len());
    service_kit::output::complain(format_args!("{found} of {all} aggregates have a snapshot"));
    ensure!(!kept.is_empty(), "no aggregate has a snapshot");
    let reader = Executor::<Article, _, _>::with_snapshots(store(), snapshots);
    let snapshotted = load_all(&reader, &kept).await?;
    let rows = [("hot", hot), ("snapshotted", snapshotted), ("cold", cold)];
    Ok(rows.into_iter().map(|(how, measured)| Loading::new(stored, how, &measured)).collect())
}

/// Which of `sample` have a snapshot.
async fn with_snapshot(connection: &Connection, sample: &[AggregateId]) -> Vec<AggregateId> {
    let snapshots = JetStreamSnapshots::start(connection.clone());
    let mut kept = Vec::new();
    for &id in sample {
        if snapshots.load(&StreamId::new(CONTEXT, id)).await.is_some() {
            kept.push(id);
        }
    }
    kept
}

/// Loads each once, one after the other.
async fn load_all<S: EventStore, P: SnapshotStore>(
    executor: &Executor<Article, S, P>,
    sample: &[AggregateId],
) -> anyhow::Result<Measured> {
    let actor = Actor { user_id: user("ann"), roles: Vec::new() };
    let (start, mut latencies) = (Instant::now(), Vec::new());
    for &id in sample {
        let (title, content) = (String::new(), String::new());
        let data = UpdateArticle { id, title, content, slug: None, tags: None };
        let command = CommandEnvelope::new(actor.clone(), data);
        let begin = Instant::now();
        let reply = executor.execute(&command).await?;
        latencies.push(begin.elapsed());
        let Reply::Refused(refusal) = reply else { anyhow::bail!("accepted") };
        ensure!(refusal.detail == EVENTS_EACH.to_string(), "loaded {} events", refusal.detail);
    }
    Ok(Measured::new(latencies, start.elapsed()))
}

/// Writes the first event of every aggregate, then the second of every one, and so on.
async fn fill(client: &Client, aggregates: &[AggregateId]) -> anyhow::Result<()> {
    let actor = user("ann");
    let jetstream = Arc::new(async_nats::jetstream::new(client.clone()));
    let mut sent = 0;
    for version in 1..=EVENTS_EACH {
        for &id in aggregates {
            let stream = StreamId::new(CONTEXT, id);
            let event = event(id, version, &actor)?;
            let headers = event_codec::headers(&stream, &event);
            let subject = names::EventSubject(stream).to_string();
            sent += 1;
            if sent % WINDOW == 0 {
                // An answer to one says that those before it are stored.
                let ack =
                    jetstream.publish_with_headers(subject, headers, event.data.into()).await?;
                tokio::time::timeout(Duration::from_secs(30), ack).await.context("no answer")??;
            } else {
                client.publish_with_headers(subject, headers, event.data.into()).await?;
            }
        }
    }
    client.flush().await?;
    Ok(())
}
