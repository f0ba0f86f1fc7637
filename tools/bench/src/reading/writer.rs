//! New articles at a steady rate, and when each is visible.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use async_nats::jetstream;
use contracts::article::{CONTEXT, GetArticle};
use eventsourcing::{CommandId, QueryEnvelope, QueryReply, StreamId};
use messaging::{RequestClient, event_codec, names::EventSubject};
use test_support::NatsServer;
use tokio::task::JoinSet;

use super::story;

/// How often new articles are sent.
const TICK: Duration = Duration::from_millis(10);
/// One of so many is looked for.
const SAMPLE: u64 = 10;

/// Writes until it is stopped.
pub(super) struct Writer {
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<anyhow::Result<Written>>,
}

/// What was written.
pub(super) struct Written {
    /// Articles a second.
    pub rate: u64,
    /// How long after its acknowledgement each of those that were looked for was there.
    pub seen: Vec<Duration>,
}

impl Writer {
    /// Writes `rate` articles a second, and asks `queries` for one in ten at its own position.
    pub(super) async fn start(server: &NatsServer, queries: &RequestClient, rate: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let client = server.client("article").await;
        let sender = Sender {
            jetstream: jetstream::new(client),
            queries: queries.clone(),
            sent: AtomicU64::new(0),
            seen: Mutex::default(),
        };
        let stopped = stop.clone();
        let task = tokio::spawn(async move { write(Arc::new(sender), rate, &stopped).await });
        Self { stop, task }
    }

    /// Stops.
    pub(super) async fn finish(self) -> anyhow::Result<Written> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await?
    }
}

struct Sender {
    jetstream: jetstream::Context,
    queries: RequestClient,
    sent: AtomicU64,
    seen: Mutex<Vec<Duration>>,
}

async fn write(sender: Arc<Sender>, rate: u64, stop: &AtomicBool) -> anyhow::Result<Written> {
    let start = Instant::now();
    let mut ticks = tokio::time::interval(TICK);
    let each = rate * u64::try_from(TICK.as_millis())? / 1000;
    let mut tasks = JoinSet::new();
    while !stop.load(Ordering::Relaxed) {
        ticks.tick().await;
        for _ in 0..each {
            let sender = sender.clone();
            tasks.spawn(async move { sender.send().await });
        }
        while let Some(done) = tasks.try_join_next() {
            done??;
        }
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    let sent = u128::from(sender.sent.load(Ordering::Relaxed));
    let rate = u64::try_from(sent * 1000 / start.elapsed().as_millis().max(1))?;
    let mut seen = sender.seen.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Written { rate, seen: std::mem::take(&mut seen) })
}

impl Sender {
    async fn send(&self) -> anyhow::Result<()> {
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        let id = CommandId::generate().creates(CONTEXT);
        let event = story::event(id, number, 1)?;
        let stream = StreamId::new(CONTEXT, id);
        let headers = event_codec::headers(&stream, &event);
        let subject = EventSubject(stream).to_string();
        let ack = self.jetstream.publish_with_headers(subject, headers, event.data.into()).await?;
        let position = ack.await.context("not stored")?.sequence;
        if !number.is_multiple_of(SAMPLE) {
            return Ok(());
        }
        let stored = Instant::now();
        let query =
            QueryEnvelope { min_position: Some(position), ..QueryEnvelope::new(GetArticle { id }) };
        let reply = self.queries.ask(&query).await.context("a read failed")?;
        let QueryReply::Answered(answer) = reply else { anyhow::bail!("an article is not there") };
        ensure!(answer.position >= position && answer.data.id == id, "a read was stale");
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(stored.elapsed());
        Ok(())
    }
}
