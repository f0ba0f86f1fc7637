mod chaos;
mod snapshots;
mod stores;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::{
    Actor, Aggregate, AggregateId, Command, CommandEnvelope, CommandId, Decide, DecodeError,
    EventContext, EventData, EventStore, ExecuteError, Executor, Head, MemoryEventStore, NewEvent,
    Refusal, RefusalKind, Reply, StreamId,
};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Added {
    amount: u32,
}

crate::events! {
    enum CounterEvent {
        "counter.added" v 1 => Added(Added),
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Counter {
    total: u32,
}

impl Aggregate for Counter {
    const CONTEXT: &'static str = "counter";
    const STATE_SCHEMA: u32 = 1;
    type Event = CounterEvent;

    fn apply(&mut self, CounterEvent::Added(added): CounterEvent, _: &EventContext) {
        self.total += added.amount;
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Add {
    counter: AggregateId,
    amounts: Vec<u32>,
}

impl Command for Add {
    const CONTEXT: &'static str = "counter";
    const VERB: &'static str = "add";
    type Output = u32;

    fn aggregate_id(&self, _: CommandId) -> AggregateId {
        self.counter
    }
}

impl Decide<Add> for Counter {
    type Refusal = Refusal;

    fn decide(&self, command: &Add, _: &Actor) -> Result<Vec<CounterEvent>, Refusal> {
        if self.total + command.amounts.iter().sum::<u32>() > 100 {
            return Err(Refusal::new(RefusalKind::Conflict, "over-the-limit", "the limit is 100"));
        }
        Ok(command.amounts.iter().map(|&amount| Added { amount }.into()).collect())
    }
}

fn add(counter: AggregateId, amounts: &[u32]) -> CommandEnvelope<Add> {
    let actor = Actor { user_id: "ann".parse().expect("valid"), roles: vec![] };
    CommandEnvelope::new(actor, Add { counter, amounts: amounts.to_vec() })
}

fn counter() -> AggregateId {
    CommandId::generate().creates("counter")
}

#[track_caller]
fn accepted(reply: Result<Reply<Counter>, ExecuteError>) -> crate::Accepted<Counter> {
    match reply {
        Ok(Reply::Accepted(accepted)) => accepted,
        other => panic!("expected an acceptance, got {other:?}"),
    }
}

#[track_caller]
fn refused(reply: Result<Reply<Counter>, ExecuteError>) -> Refusal {
    match reply {
        Ok(Reply::Refused(refusal)) => refusal,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[tokio::test]
async fn the_memory_store_conforms() {
    crate::conformance::run(&MemoryEventStore::default()).await;
}

#[tokio::test]
async fn a_repeat_gets_the_first_outcome_even_after_others() {
    let store = Arc::new(MemoryEventStore::default());
    let executor = Executor::<Counter, _>::new(store.clone());
    let id = counter();
    let command = add(id, &[1, 2]);
    let first = accepted(executor.execute(&command).await);
    accepted(executor.execute(&add(id, &[10])).await);
    let again = accepted(executor.execute(&command).await);
    assert!(again.repeated && !first.repeated);
    assert_eq!(again.state, Counter { total: 3 });
    assert_eq!(
        (again.version, again.position, &again.events),
        (first.version, first.position, &first.events)
    );
    assert_eq!(store.all().len(), 3);
}

#[tokio::test]
async fn the_same_id_with_other_data_is_refused() {
    let executor = Executor::<Counter, _>::new(MemoryEventStore::default());
    let id = counter();
    let command = add(id, &[1]);
    accepted(executor.execute(&command).await);
    let other = CommandEnvelope { data: Add { counter: id, amounts: vec![2] }, ..command };
    assert_eq!(refused(executor.execute(&other).await).kind, RefusalKind::Reused);
}

#[tokio::test]
async fn a_rule_is_told_before_a_stale_version() {
    let executor = Executor::<Counter, _>::new(MemoryEventStore::default());
    let id = counter();
    accepted(executor.execute(&add(id, &[1])).await);
    let stale = CommandEnvelope { expected_version: Some(7), ..add(id, &[1]) };
    let refusal = refused(executor.execute(&stale).await);
    assert_eq!((refusal.kind, refusal.current_version), (RefusalKind::VersionMismatch, Some(1)));
    let both = CommandEnvelope { expected_version: Some(7), ..add(id, &[100]) };
    assert_eq!(refused(executor.execute(&both).await).code, "over-the-limit");
}

#[tokio::test]
async fn a_command_says_which_versions_it_wants_and_which_it_does_not() {
    let executor = Executor::<Counter, _>::new(MemoryEventStore::default());
    let id = counter();
    accepted(executor.execute(&add(id, &[1])).await);
    let command = |expected_version, alternatives: &[u64], excluded: &[u64]| CommandEnvelope {
        expected_version,
        alternative_versions: alternatives.to_vec(),
        excluded_versions: excluded.to_vec(),
        ..add(id, &[1])
    };
    for (expected, alternatives, excluded) in [
        (None, &[][..], &[1][..]),
        (Some(1), &[], &[1]),
        (Some(0), &[], &[]),
        (Some(7), &[8], &[]),
        (Some(7), &[1], &[0, 1]),
    ] {
        let refusal = refused(executor.execute(&command(expected, alternatives, excluded)).await);
        assert_eq!(
            (refusal.kind, refusal.current_version),
            (RefusalKind::VersionMismatch, Some(1))
        );
    }
    let wanted = command(Some(7), &[8, 1], &[2]);
    assert_eq!(accepted(executor.execute(&wanted).await).version, 2);
    assert_eq!(accepted(executor.execute(&wanted).await).version, 2, "a repeat is no new write");
    assert_eq!(accepted(executor.execute(&command(None, &[], &[1])).await).version, 3);
}

#[tokio::test]
async fn an_expired_command_is_not_executed() {
    let store = Arc::new(MemoryEventStore::default());
    let executor = Executor::<Counter, _>::new(store.clone());
    let mut command = add(counter(), &[1]);
    command.deadline = Some(OffsetDateTime::now_utc() - Duration::seconds(1));
    assert!(matches!(executor.execute(&command).await, Err(ExecuteError::Expired)));
    assert_eq!(store.all(), []);
}

#[tokio::test]
async fn within_an_aggregate_time_never_goes_back() {
    let store = Arc::new(MemoryEventStore::default());
    let snapshots = Arc::new(crate::MemorySnapshotStore::default());
    let executor = || Executor::<Counter, _, _>::with_snapshots(store.clone(), snapshots.clone());
    let (id, now) = (counter(), OffsetDateTime::now_utc());
    let at = |hours, amounts: &[u32]| CommandEnvelope {
        issued_at: now + Duration::hours(hours),
        ..add(id, amounts)
    };
    let one = executor();
    accepted(one.execute(&at(0, &[1, 1])).await);
    accepted(one.execute(&at(2, &[1])).await);
    // The clock is set back: known from the cache, from the events, and from a snapshot.
    accepted(one.execute(&at(0, &[1])).await);
    let other = executor();
    accepted(other.execute(&at(1, &[1])).await);
    other.retire();
    assert_eq!(snapshots.streams().len(), 1);
    accepted(executor().execute(&at(-1, &[1])).await);
    accepted(executor().execute(&at(3, &[1])).await);
    let hours = store.all().into_iter().map(|event| (event.event.time - now).whole_hours());
    assert_eq!(hours.collect::<Vec<_>>(), [0, 0, 2, 2, 2, 2, 3]);
}

#[tokio::test]
async fn nobody_is_refused_on_what_was_known_before() {
    let store = Arc::new(MemoryEventStore::default());
    let (one, other) =
        (Executor::<Counter, _>::new(store.clone()), Executor::<Counter, _>::new(store.clone()));
    let id = counter();
    accepted(one.execute(&add(id, &[90])).await);
    // The other writer makes it possible; the first does not know.
    other.execute(&add(id, &[0])).await.expect("executed");
    let reset = NewEvent { version: 3, ..store.all()[1].event.clone() };
    let data = br#"{"amount":0}"#.to_vec();
    let head = Head { version: 2, position: 2 };
    let stream = StreamId::new("counter", id);
    store.append(&stream, head, vec![NewEvent { data, ..reset }].into()).await.expect("appended");
    let stale = CommandEnvelope { expected_version: Some(3), ..add(id, &[5]) };
    assert_eq!(accepted(one.execute(&stale).await).version, 4);
}

#[tokio::test]
async fn any_order_of_commands_gives_the_same_by_cache_and_by_replay() {
    let store = Arc::new(MemoryEventStore::default());
    let cached = Executor::<Counter, _>::new(store.clone());
    let ids: Vec<_> = (0..3).map(|_| counter()).collect();
    for number in 0..60_u32 {
        let id = ids[(number * 7 % 3) as usize];
        let command = add(id, &[number % 5, number % 3]);
        let live = cached.execute(&command).await.expect("executed");
        // A second executor knows nothing and has to replay.
        let replayed = Executor::<Counter, _>::new(store.clone()).execute(&command).await;
        match (live, replayed.expect("executed")) {
            (Reply::Accepted(live), Reply::Accepted(replayed)) => {
                assert!(replayed.repeated);
                assert_eq!((live.state, live.version), (replayed.state, replayed.version));
            }
            (Reply::Refused(live), Reply::Refused(replayed)) => assert_eq!(live, replayed),
            (live, replayed) => panic!("{live:?} but {replayed:?}"),
        }
    }
}

#[test]
fn unknown_types_versions_and_shapes_are_told_apart() {
    let decode = |name, version, data: &[u8]| CounterEvent::decode(name, version, data);
    assert!(decode("counter.added", 1, br#"{"amount":1,"added_later":true}"#).is_ok());
    assert!(matches!(decode("counter.gone", 1, b"{}"), Err(DecodeError::UnknownType(_))));
    assert!(matches!(
        decode("counter.added", 2, b"{}"),
        Err(DecodeError::UnknownVersion { version: 2, .. })
    ));
    assert!(matches!(decode("counter.added", 1, b"{"), Err(DecodeError::Malformed { .. })));
}

#[test]
fn identities_are_stable_and_strict() {
    let ann = "ann".parse().expect("valid");
    let key = CommandId::from_key(&ann, "k");
    assert_eq!(key, CommandId::from_key(&ann, "k"));
    assert_ne!(key, CommandId::from_key(&"bob".parse().expect("valid"), "k"));
    let (one, other) = (counter(), counter());
    assert_ne!(key.event_id(one, 0), key.event_id(one, 1));
    assert_ne!(key.event_id(one, 0), key.event_id(other, 0));
    assert!("ABCDEF0123456789ABCDEF0123456789".parse::<AggregateId>().is_err());
    assert!("a b".parse::<crate::UserId>().is_err());
    assert!("".parse::<crate::CorrelationId>().is_err());
}
