use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use eventsourcing::{
    AppendError, CommandId, Commit, CorrelationId, Fingerprint, Head, MemoryEventStore, Metadata,
    NewEvent, RecordedEvent, StreamId,
    history::{At, HistoryPage},
};
use serde_json::json;
use test_support::toys::{GetToyAt, GetToyHistory, TOY, Toy};
use time::OffsetDateTime;

use super::*;

/// How many events a page has here.
const PAGE: usize = 10;

/// A store that can hold no history as a whole; counts what was read.
#[derive(Default)]
struct Paged {
    inner: MemoryEventStore,
    read: AtomicUsize,
    reading: Mutex<Readers>,
}

/// How many read a page, and how many did at most.
#[derive(Default)]
struct Readers {
    now: usize,
    most: usize,
}

impl EventStore for Paged {
    async fn load(&self, _: &StreamId, _: Head) -> Result<Vec<RecordedEvent>, LoadError> {
        panic!("a whole history is loaded")
    }

    async fn page(&self, stream: &StreamId, after: Head) -> Result<Vec<RecordedEvent>, LoadError> {
        {
            let mut reading = self.reading.lock().expect("not poisoned");
            reading.now += 1;
            reading.most = reading.most.max(reading.now);
        }
        tokio::task::yield_now().await;
        let mut page = self.inner.load(stream, after).await?;
        page.truncate(PAGE);
        self.read.fetch_add(page.len(), Ordering::Relaxed);
        self.reading.lock().expect("not poisoned").now -= 1;
        Ok(page)
    }

    async fn last(&self, stream: &StreamId) -> Result<Option<RecordedEvent>, LoadError> {
        self.inner.last(stream).await
    }

    async fn append(&self, _: &StreamId, _: Head, _: Commit) -> Result<Head, AppendError> {
        panic!("a query stores something")
    }
}

/// A toy with so many versions.
async fn toy(versions: u64) -> (Reader<Toy, Paged>, AggregateId) {
    let (store, id) = (Paged::default(), CommandId::generate().creates(TOY));
    let events = (1..=versions).map(|version| event(id, version)).collect::<Vec<_>>();
    let stream = StreamId::new(TOY, id);
    store.inner.append(&stream, Head::default(), events.into()).await.expect("stored");
    (Reader::new(store), id)
}

fn event(id: AggregateId, version: u64) -> NewEvent {
    let command = CommandId::generate();
    let event_type = if version == 1 { "toy.made" } else { "toy.renamed" };
    let data = json!({ "name": format!("version {version}"), "owner": "ann" });
    NewEvent {
        id: command.event_id(id, 0),
        event_type: event_type.to_owned(),
        schema_version: 1,
        version,
        time: OffsetDateTime::now_utc(),
        metadata: Metadata {
            correlation_id: CorrelationId::generate(),
            causation_id: command,
            fingerprint: Fingerprint::of("test", b""),
            user_id: test_support::user("ann"),
            traceparent: None,
        },
        data: data.to_string().into_bytes(),
    }
}

async fn ask<Q: PastQuery<Toy>>(reader: &Reader<Toy, Paged>, query: Q) -> Q::Answer {
    match reader.read(&QueryEnvelope::new(query)).await {
        Ok(QueryReply::Answered(answer)) => answer.data,
        Ok(QueryReply::Refused(refusal)) => panic!("refused: {refusal}"),
        Err(error) => panic!("failed: {error}"),
    }
}

#[tokio::test]
async fn who_turns_the_pages_of_a_long_history_reads_it_about_once() {
    const LENGTH: u64 = 1000;
    let (reader, id) = toy(LENGTH).await;
    let (mut after, mut versions) = (None, Vec::new());
    loop {
        let page: HistoryPage = ask(&reader, GetToyHistory { id, after, limit: Some(50) }).await;
        for entry in &page.items {
            let from = entry.changes[0].from.as_str().unwrap_or_default().to_owned();
            let before = entry.version - 1;
            let name = if before == 0 { String::new() } else { format!("version {before}") };
            assert_eq!(from, name, "{entry:?}");
        }
        versions.extend(page.items.iter().map(|entry| entry.version));
        let Some(next) = page.next else { break };
        after = Some(next);
    }
    assert_eq!(versions, (1..=LENGTH).collect::<Vec<_>>());
    let read = reader.store.read.load(Ordering::Relaxed);
    assert!(read < 1500, "{read} events were read");
}

#[tokio::test]
async fn a_version_is_made_of_what_came_before_it_and_no_more_is_read() {
    let (reader, id) = toy(500).await;
    for version in [5, 305, 300, 310] {
        let then = ask(&reader, GetToyAt { id, at: At::Version(version) }).await;
        assert_eq!((then.version, then.name), (version, format!("version {version}")));
        assert_eq!(then.owner.as_str(), "ann");
    }
    let read = reader.store.read.load(Ordering::Relaxed);
    assert!(read < 700, "{read} events were read");
}

#[tokio::test]
async fn an_aggregate_is_found_as_of_now_whatever_a_clock_did() {
    let (store, id) = (Paged::default(), CommandId::generate().creates(TOY));
    let now = OffsetDateTime::now_utc();
    let (hour, stream) = (time::Duration::hours(1), StreamId::new(TOY, id));
    // As they were stored before times were kept in order, and by a clock that is ahead still.
    let times = [now - hour, now - hour * 3, now + hour, now + hour * 2];
    let events = (1..).zip(times).map(|(version, time)| NewEvent { time, ..event(id, version) });
    let events = events.collect::<Vec<_>>();
    store
        .inner
        .append(&stream, Head::default(), events[..2].to_vec().into())
        .await
        .expect("stored");
    let reader = Reader::new(store);
    let then = ask(&reader, GetToyAt { id, at: At::AsOf(now - hour * 2) }).await;
    assert_eq!(then.version, 2);
    let head = Head { version: 2, position: 2 };
    reader.store.inner.append(&stream, head, events[2..].to_vec().into()).await.expect("stored");
    let then = ask(&reader, GetToyAt { id, at: At::AsOf(now) }).await;
    assert_eq!(then.version, 4);
    let then = ask(&reader, GetToyAt { id, at: At::AsOf(now + hour) }).await;
    assert_eq!(then.version, 4);
}

#[tokio::test]
async fn few_read_at_once_and_the_others_wait_for_their_turn() {
    let (reader, id) = toy(100).await;
    let asked = (0..MAX_READING + MAX_WAITING)
        .map(|_| ask(&reader, GetToyHistory { id, after: Some(95), limit: None }));
    for page in futures_util::future::join_all(asked).await {
        assert_eq!((page.items.len(), page.next), (5, None));
    }
    assert_eq!(reader.store.reading.lock().expect("not poisoned").most, MAX_READING);
}
