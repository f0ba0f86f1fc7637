//! What every [`EventStore`] must do. Each store's tests call [`run`].

mod claims;

use time::macros::datetime;
use uuid::Uuid;

use crate::{
    AggregateId, AppendError, CommandId, CorrelationId, EventStore, Fingerprint, Head, LoadError,
    Metadata, NewEvent, StreamId, UserId,
};

/// Runs every check, each on an aggregate of its own.
///
/// # Panics
/// The store breaks a rule.
pub async fn run<S: EventStore>(store: &S) {
    an_unknown_aggregate_has_no_events(store).await;
    events_come_back_as_they_were_appended(store).await;
    creating_twice_conflicts(store).await;
    a_stale_writer_conflicts(store).await;
    several_events_are_stored_together_or_not_at_all(store).await;
    only_the_events_after_a_head_are_loaded(store).await;
    aggregates_do_not_see_each_other(store).await;
    an_event_id_in_use_elsewhere_is_never_a_silent_success(store).await;
    of_two_racing_writers_one_wins(store).await;
    a_long_history_loads_in_order(store).await;
    a_head_of_another_past_is_not_believed(store).await;
    claims::run(store).await;
}

fn stream() -> StreamId {
    StreamId::new("conformance", AggregateId::from(Uuid::now_v7()))
}

/// Events `from..=to` of an aggregate, all of one command, with text that is easy to damage.
fn events(from: u64, to: u64) -> Vec<NewEvent> {
    let command = CommandId::generate();
    let aggregate = command.creates("conformance");
    (from..=to)
        .map(|version| NewEvent {
            id: command.event_id(aggregate, usize::try_from(version).expect("a small version")),
            event_type: "conformance.tested".to_owned(),
            schema_version: 3,
            version,
            time: datetime!(2024-02-29 23:59:59.123456789 UTC),
            metadata: Metadata {
                correlation_id: CorrelationId::generate(),
                causation_id: command,
                fingerprint: Fingerprint::of("conformance.test", b"{}"),
                user_id: "ann+test@example.org".parse::<UserId>().expect("a valid user id"),
                traceparent: Some(
                    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned(),
                ),
            },
            data: format!(r#"{{"text":"{version} – “naïve” 🦀 \\u0000"}}"#).into_bytes(),
        })
        .collect()
}

async fn append<S: EventStore>(store: &S, stream: &StreamId, head: Head, to: u64) -> Head {
    store
        .append(stream, head, events(head.version + 1, to).into())
        .await
        .expect("an append at the head succeeds")
}

#[track_caller]
fn assert_conflict(result: &Result<Head, AppendError>) {
    assert!(matches!(result, Err(AppendError::Conflict)), "expected a conflict, got {result:?}");
}

async fn load<S: EventStore>(store: &S, stream: &StreamId, after: Head) -> Vec<NewEvent> {
    let events = store.load(stream, after).await.expect("loading succeeds");
    events.into_iter().map(|event| event.event).collect()
}

async fn an_unknown_aggregate_has_no_events<S: EventStore>(store: &S) {
    let stream = stream();
    assert_eq!(load(store, &stream, Head::default()).await, []);
    assert_eq!(store.page(&stream, Head::default()).await.expect("a page"), []);
    assert_eq!(store.last(&stream).await.expect("an answer"), None);
}

async fn events_come_back_as_they_were_appended<S: EventStore>(store: &S) {
    let (stream, written) = (stream(), events(1, 1));
    let head =
        store.append(&stream, Head::default(), written.clone().into()).await.expect("created");
    let read = store.load(&stream, Head::default()).await.expect("loaded");
    assert_eq!(read.len(), 1);
    assert_eq!(read[0].event, written[0]);
    assert_eq!(read[0].aggregate_id, stream.aggregate_id);
    assert_eq!(read[0].context, stream.context);
    assert_eq!(Head::from(&read[0]), head);
    assert!(head.position > 0, "positions start at 1");
}

async fn creating_twice_conflicts<S: EventStore>(store: &S) {
    let stream = stream();
    append(store, &stream, Head::default(), 1).await;
    assert_conflict(&store.append(&stream, Head::default(), events(1, 1).into()).await);
    assert_eq!(load(store, &stream, Head::default()).await.len(), 1);
}

async fn a_stale_writer_conflicts<S: EventStore>(store: &S) {
    let stream = stream();
    let first = append(store, &stream, Head::default(), 1).await;
    append(store, &stream, first, 2).await;
    assert_conflict(&store.append(&stream, first, events(2, 2).into()).await);
    assert_eq!(load(store, &stream, Head::default()).await.len(), 2);
}

async fn several_events_are_stored_together_or_not_at_all<S: EventStore>(store: &S) {
    let stream = stream();
    let head = append(store, &stream, Head::default(), 3).await;
    assert_eq!(head.version, 3);
    assert_conflict(&store.append(&stream, Head::default(), events(1, 3).into()).await);
    let versions: Vec<_> =
        load(store, &stream, Head::default()).await.iter().map(|event| event.version).collect();
    assert_eq!(versions, [1, 2, 3]);
}

async fn only_the_events_after_a_head_are_loaded<S: EventStore>(store: &S) {
    let stream = stream();
    let second = append(store, &stream, Head::default(), 2).await;
    assert_eq!(load(store, &stream, second).await, []);
    let fourth = append(store, &stream, second, 4).await;
    let rest: Vec<_> =
        load(store, &stream, second).await.iter().map(|event| event.version).collect();
    assert_eq!(rest, [3, 4]);
    append(store, &stream, fourth, 5).await;
    assert_eq!(load(store, &stream, fourth).await.len(), 1);
}

async fn aggregates_do_not_see_each_other<S: EventStore>(store: &S) {
    let (one, other) = (stream(), stream());
    append(store, &one, Head::default(), 1).await;
    append(store, &other, Head::default(), 2).await;
    assert_eq!(load(store, &one, Head::default()).await.len(), 1);
    assert_eq!(load(store, &other, Head::default()).await.len(), 2);
}

/// A store may refuse it or store it; what it must not do is say that it is stored when it is not.
async fn an_event_id_in_use_elsewhere_is_never_a_silent_success<S: EventStore>(store: &S) {
    let (one, other, event) = (stream(), stream(), events(1, 1));
    store.append(&one, Head::default(), event.clone().into()).await.expect("created");
    let appended = store.append(&other, Head::default(), event.into()).await;
    let stored = load(store, &other, Head::default()).await;
    assert_eq!(appended.is_ok(), stored.len() == 1, "{appended:?}");
}

async fn of_two_racing_writers_one_wins<S: EventStore>(store: &S) {
    let stream = stream();
    let head = append(store, &stream, Head::default(), 1).await;
    let mut winners = Vec::new();
    let race = |event: Vec<NewEvent>| store.append(&stream, head, event.into());
    for result in both(race(events(2, 2)), race(events(2, 2))).await {
        match result {
            Ok(head) => winners.push(head),
            Err(AppendError::Conflict) => {}
            Err(error) => panic!("expected a winner and a conflict, got {error}"),
        }
    }
    assert_eq!(winners.len(), 1);
    assert_eq!(load(store, &stream, head).await.len(), 1);
}

/// Polls both futures together, without a runtime.
async fn both<T>(one: impl Future<Output = T>, other: impl Future<Output = T>) -> [T; 2] {
    let (mut one, mut other) = (std::pin::pin!(one), std::pin::pin!(other));
    let (mut first, mut second) = (None, None);
    std::future::poll_fn(|context| {
        use std::task::Poll;
        if first.is_none()
            && let Poll::Ready(value) = one.as_mut().poll(context)
        {
            first = Some(value);
        }
        if second.is_none()
            && let Poll::Ready(value) = other.as_mut().poll(context)
        {
            second = Some(value);
        }
        match (first.take(), second.take()) {
            (Some(a), Some(b)) => Poll::Ready([a, b]),
            (a, b) => {
                (first, second) = (a, b);
                Poll::Pending
            }
        }
    })
    .await
}

async fn a_long_history_loads_in_order<S: EventStore>(store: &S) {
    const LENGTH: u64 = 300;
    let stream = stream();
    let mut head = Head::default();
    for version in 1..=LENGTH {
        head = append(store, &stream, head, version).await;
    }
    let versions: Vec<_> =
        load(store, &stream, Head::default()).await.iter().map(|event| event.version).collect();
    assert_eq!(versions, (1..=LENGTH).collect::<Vec<_>>());
    let last = store.last(&stream).await.expect("an answer").expect("there is one");
    assert_eq!(Head::from(&last), head);
    pages_are_the_history(store, &stream).await;
}

async fn pages_are_the_history<S: EventStore>(store: &S, stream: &StreamId) {
    let (mut after, mut all) = (Head::default(), Vec::new());
    loop {
        let page = store.page(stream, after).await.expect("a page");
        let Some(last) = page.last() else { break };
        after = Head::from(last);
        all.extend(page);
    }
    assert_eq!(all, store.load(stream, Head::default()).await.expect("loaded"));
}

async fn a_head_of_another_past_is_not_believed<S: EventStore>(store: &S) {
    let (stream, unknown) = (stream(), stream());
    let first = append(store, &stream, Head::default(), 1).await;
    let second = append(store, &stream, first, 2).await;
    let third = append(store, &stream, second, 3).await;
    let heads = [
        // Ahead of the last event, and of its version; another's event; the last but one, elsewhere.
        (&stream, Head { version: 4, position: third.position + 1 }),
        (&stream, Head { version: 4, ..third }),
        (&unknown, third),
        (&stream, Head { version: 2, ..first }),
    ];
    for (stream, head) in heads {
        let loaded = store.load(stream, head).await;
        assert!(matches!(loaded, Err(LoadError::UnknownHead)), "{head:?} gave {loaded:?}");
        let page = store.page(stream, head).await;
        assert!(matches!(page, Err(LoadError::UnknownHead)), "{head:?} gave {page:?}");
    }
    assert_eq!(load(store, &stream, second).await.len(), 1);
}
