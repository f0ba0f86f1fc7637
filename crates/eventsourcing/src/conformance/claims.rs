//! Uniqueness across aggregates.

use uuid::Uuid;

use super::{append, both, events, load, stream};
use crate::{AppendError, Claim, ClaimChanges, Commit, EventStore, Head, StreamId};

pub(super) async fn run<S: EventStore>(store: &S) {
    a_value_is_held_by_one_aggregate(store).await;
    a_refused_claim_stores_nothing(store).await;
    a_released_value_is_free(store).await;
    a_value_moves_with_the_events(store).await;
    a_stale_writer_takes_nothing(store).await;
    a_repeated_commit_is_a_conflict(store).await;
    what_is_not_held_is_not_released(store).await;
    of_two_racing_claimants_one_wins(store).await;
}

fn name() -> Claim {
    Claim { context: "conformance", field: "name", value: Uuid::now_v7().to_string() }
}

fn taking(from: u64, to: u64, take: &[&Claim]) -> Commit {
    changing(from, to, take, &[])
}

fn changing(from: u64, to: u64, take: &[&Claim], release: &[&Claim]) -> Commit {
    let list = |claims: &[&Claim]| claims.iter().map(|&claim| claim.clone()).collect();
    let (take, release) = (list(take), list(release));
    let claims = ClaimChanges { take, release, ..ClaimChanges::default() };
    Commit { events: events(from, to), claims }
}

async fn commit<S: EventStore>(store: &S, stream: &StreamId, head: Head, commit: Commit) -> Head {
    store.append(stream, head, commit).await.expect("nobody else holds it")
}

#[track_caller]
fn assert_claimed(result: &Result<Head, AppendError>, by_other: &Claim) {
    let claimed = matches!(result, Err(AppendError::Claimed(claim)) if claim == by_other);
    assert!(claimed, "expected {by_other:?} to be taken, got {result:?}");
}

async fn a_value_is_held_by_one_aggregate<S: EventStore>(store: &S) {
    let (one, other, claim) = (stream(), stream(), name());
    commit(store, &one, Head::default(), taking(1, 1, &[&claim])).await;
    let second = store.append(&other, Head::default(), taking(1, 1, &[&claim])).await;
    assert_claimed(&second, &claim);
    // Another field's equal value is another claim.
    let field = Claim { field: "alias", ..claim };
    commit(store, &other, Head::default(), taking(1, 1, &[&field])).await;
}

async fn a_refused_claim_stores_nothing<S: EventStore>(store: &S) {
    let (one, other, free, taken) = (stream(), stream(), name(), name());
    commit(store, &one, Head::default(), taking(1, 1, &[&taken])).await;
    let refused = store.append(&other, Head::default(), taking(1, 2, &[&free, &taken])).await;
    assert_claimed(&refused, &taken);
    assert_eq!(load(store, &other, Head::default()).await, []);
    commit(store, &other, Head::default(), taking(1, 1, &[&free])).await;
}

async fn a_released_value_is_free<S: EventStore>(store: &S) {
    let (one, other, claim) = (stream(), stream(), name());
    let head = commit(store, &one, Head::default(), taking(1, 1, &[&claim])).await;
    let head = commit(store, &one, head, changing(2, 2, &[], &[&claim])).await;
    let taken = commit(store, &other, Head::default(), taking(1, 1, &[&claim])).await;
    assert_claimed(&store.append(&one, head, taking(3, 3, &[&claim])).await, &claim);
    commit(store, &other, taken, changing(2, 2, &[], &[&claim])).await;
    commit(store, &one, head, taking(3, 3, &[&claim])).await;
}

async fn a_value_moves_with_the_events<S: EventStore>(store: &S) {
    let (one, other, old, new) = (stream(), stream(), name(), name());
    let head = commit(store, &one, Head::default(), taking(1, 1, &[&old])).await;
    let head = commit(store, &one, head, changing(2, 3, &[&new], &[&old])).await;
    assert_eq!(head.version, 3);
    assert_eq!(load(store, &one, Head::default()).await.len(), 3);
    let second = store.append(&other, Head::default(), taking(1, 1, &[&new])).await;
    assert_claimed(&second, &new);
    commit(store, &other, Head::default(), taking(1, 1, &[&old])).await;
    // The head is the last event, whatever was stored with it.
    assert_eq!(append(store, &one, head, 4).await.version, 4);
}

async fn a_stale_writer_takes_nothing<S: EventStore>(store: &S) {
    let (one, other, claim) = (stream(), stream(), name());
    let first = append(store, &one, Head::default(), 1).await;
    append(store, &one, first, 2).await;
    let stale = store.append(&one, first, taking(2, 2, &[&claim])).await;
    assert!(matches!(stale, Err(AppendError::Conflict)), "{stale:?}");
    commit(store, &other, Head::default(), taking(1, 1, &[&claim])).await;
}

async fn a_repeated_commit_is_a_conflict<S: EventStore>(store: &S) {
    let (stream, claim) = (stream(), name());
    let taking = taking(1, 1, &[&claim]);
    commit(store, &stream, Head::default(), taking.clone()).await;
    let again = store.append(&stream, Head::default(), taking).await;
    assert!(matches!(again, Err(AppendError::Conflict)), "{again:?}");
    assert_eq!(load(store, &stream, Head::default()).await.len(), 1);
}

async fn what_is_not_held_is_not_released<S: EventStore>(store: &S) {
    let (one, other, claim) = (stream(), stream(), name());
    commit(store, &one, Head::default(), taking(1, 1, &[&claim])).await;
    let head =
        commit(store, &other, Head::default(), changing(1, 1, &[], &[&claim, &name()])).await;
    assert_claimed(&store.append(&other, head, taking(2, 2, &[&claim])).await, &claim);
}

async fn of_two_racing_claimants_one_wins<S: EventStore>(store: &S) {
    let (one, other, claim) = (stream(), stream(), name());
    let race = |stream| store.append(stream, Head::default(), taking(1, 1, &[&claim]));
    let mut winners = 0;
    for result in both(race(&one), race(&other)).await {
        match result {
            Ok(_) => winners += 1,
            Err(AppendError::Conflict | AppendError::Claimed(_)) => {}
            Err(error) => panic!("expected a winner and a loser, got {error}"),
        }
    }
    assert_eq!(winners, 1);
    let stored = load(store, &one, Head::default()).await.len()
        + load(store, &other, Head::default()).await.len();
    assert_eq!(stored, 1);
}
