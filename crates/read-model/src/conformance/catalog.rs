//! Generations and the lease.

use std::time::Duration;

use uuid::Uuid;

use super::{
    VERSION,
    toys::{Toys, step},
};
use crate::{
    catalog::{Database, Generation, State},
    tables::{Changes, Tables},
};

pub(super) async fn run<D: Database<Model = Toys>>(database: &D) {
    the_first_generation_is_live_and_stays_so(database).await;
    one_is_built_at_a_time_and_takes_the_place_of_the_live_one(database).await;
    a_removed_one_is_gone_with_its_tables(database).await;
    a_lease_is_one_holders_until_it_ends(database).await;
    an_epoch_that_is_over_writes_nothing(database).await;
}

async fn states<D: Database<Model = Toys>>(database: &D) -> Vec<(i32, State)> {
    let generations = database.generations().await.expect("the catalog");
    generations.iter().map(|generation| (generation.number, generation.state)).collect()
}

async fn the_first_generation_is_live_and_stays_so<D: Database<Model = Toys>>(database: &D) {
    assert_eq!(states(database).await, [(1, State::Live)]);
    database.prepare(VERSION + 1).await.expect("prepared");
    let generations = database.generations().await.expect("the catalog");
    assert_eq!((generations.len(), generations[0].version), (1, VERSION));
}

async fn one_is_built_at_a_time_and_takes_the_place_of_the_live_one<D: Database<Model = Toys>>(
    database: &D,
) {
    let holder = Uuid::now_v7();
    let lease = database.lease(holder, Duration::from_mins(1)).await.expect("no error");
    let epoch = lease.expect("free");
    let number = database.add(7, true, true).await.expect("added").expect("the only one");
    assert_eq!(database.add(8, false, false).await.expect("no error"), None);
    let find = async || {
        let generations = database.generations().await.expect("the catalog");
        generations.into_iter().find(|generation| generation.number == number).expect("there")
    };
    let Generation { version, state, held, verified, reason, .. } = find().await;
    assert_eq!((version, state, held, verified), (7, State::Building, true, true));
    assert_eq!(reason, None);
    database.hold(number, false, Some("a reason")).await.expect("the catalog");
    let generation = find().await;
    assert_eq!((generation.held, generation.reason.as_deref()), (false, Some("a reason")));
    assert!(
        !database.switch(number, 1, epoch).await.expect("no error"),
        "neither is what it must be"
    );
    assert_eq!(states(database).await, [(1, State::Live), (number, State::Building)]);
    assert!(!database.switch(1, number, epoch + 1).await.expect("no error"), "not the holder's");
    assert!(database.switch(1, number, epoch).await.expect("no error"));
    assert_eq!(states(database).await, [(1, State::Previous), (number, State::Live)]);
    assert!(!database.switch(1, number, epoch).await.expect("no error"), "it was done before");
    // Back again.
    let (from, to) = (State::Previous, State::Building);
    assert!(database.change(1, from, to, None).await.expect("no error"));
    assert!(!database.change(1, from, to, None).await.expect("no error"));
    assert!(database.switch(number, 1, epoch).await.expect("no error"));
    let other = database.add(7, false, false).await.expect("added").expect("the only one");
    assert!(!database.change(number, from, to, None).await.expect("no error"), "one is built");
    database.remove(other).await.expect("removed");
    // One that was live does not fail.
    assert!(database.change(number, from, to, None).await.expect("no error"));
    assert!(database.change(number, to, State::Failed, Some("cancelled")).await.expect("no error"));
    assert_eq!(states(database).await, [(1, State::Live), (number, State::Previous)]);
    database.release(holder).await.expect("no error");
}

async fn a_removed_one_is_gone_with_its_tables<D: Database<Model = Toys>>(database: &D) {
    let number = database.add(VERSION, false, false).await.expect("added").expect("the only one");
    let tables = database.open(number).await.expect("opened");
    assert_eq!(tables.fence(1).await.expect("the tables"), Some(0));
    let first = step(0, 5, 1);
    assert!(tables.commit(&Changes::default(), first).await.expect("the tables"));
    tables.close().await;
    database.remove(number).await.expect("removed");
    assert!(states(database).await.iter().all(|(other, _)| *other != number));
    let again = database.open(number).await.expect("new tables");
    assert_eq!(again.position().await.expect("the tables"), 0);
    again.close().await;
}

async fn a_lease_is_one_holders_until_it_ends<D: Database<Model = Toys>>(database: &D) {
    let (one, other) = (Uuid::now_v7(), Uuid::now_v7());
    let lease = async |holder, duration| database.lease(holder, duration).await.expect("no error");
    let long = Duration::from_mins(1);
    let epoch = lease(one, long).await.expect("free");
    assert_eq!(lease(one, long).await, Some(epoch), "it is renewed");
    assert_eq!(lease(other, long).await, None);
    database.release(other).await.expect("no error");
    assert_eq!(lease(other, long).await, None, "it was not its own to give back");
    database.release(one).await.expect("no error");
    let next = lease(other, Duration::ZERO).await.expect("free");
    assert!(next > epoch);
    // It has ended at once.
    test_support::eventually("the lease to end", || async { lease(one, long).await }).await;
    database.release(one).await.expect("no error");
}

async fn an_epoch_that_is_over_writes_nothing<D: Database<Model = Toys>>(database: &D) {
    let tables = super::tables(database).await;
    assert_eq!(tables.fence(3).await.expect("the tables"), Some(0));
    let commit = async |from, to, epoch| {
        tables.commit(&Changes::default(), step(from, to, epoch)).await.expect("the tables")
    };
    assert!(commit(0, 5, 3).await);
    assert!(!commit(0, 6, 3).await, "the position is another");
    assert_eq!(tables.fence(4).await.expect("the tables"), Some(5));
    assert!(!commit(5, 6, 3).await, "the epoch is over");
    assert_eq!(tables.fence(3).await.expect("the tables"), None);
    assert_eq!(tables.position().await.expect("the tables"), 5);
    assert!(commit(5, 6, 4).await);
    tables.close().await;
}
