//! A reaction that fails for one aggregate in a hundred: nobody but that one notices.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use eventsourcing::{AggregateId, RecordedEvent};
use messaging::consumer::{self, Backoff, Outcome, Reaction, Redriven, run_reaction};
use test_support::{ArticleWriter, NatsServer, Written, eventually};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

const AGGREGATES: usize = 100;
const EVENTS_EACH: u64 = 5;

/// Fails for one aggregate until it is mended, and notes what it did for each.
struct Poisoned {
    aggregate: AggregateId,
    mended: AtomicBool,
    attempts: AtomicU32,
    /// What the last attempt waits for: as long as it does, the aggregate is in its retries.
    last: Notify,
    done: Mutex<HashMap<AggregateId, Vec<u64>>>,
}

impl Poisoned {
    fn new(aggregate: AggregateId) -> Arc<Self> {
        let (mended, attempts) = (AtomicBool::new(false), AtomicU32::new(0));
        Arc::new(Self { aggregate, mended, attempts, last: Notify::new(), done: Mutex::default() })
    }

    /// The versions that were done of an aggregate, in that order.
    fn done(&self, aggregate: AggregateId) -> Vec<u64> {
        self.done.lock().expect("unpoisoned").get(&aggregate).cloned().unwrap_or_default()
    }

    fn attempts(&self) -> u32 {
        self.attempts.load(Ordering::SeqCst)
    }
}

impl Reaction for Poisoned {
    const NAME: &'static str = "notification";
    const CONTEXTS: &'static [&'static str] = &["article"];
    const MAX_ATTEMPTS: u32 = 4;
    const BACKOFF: Backoff =
        Backoff { base: Duration::from_millis(10), max: Duration::from_millis(50) };

    async fn react(&self, event: &RecordedEvent) -> Outcome {
        if event.aggregate_id == self.aggregate && !self.mended.load(Ordering::SeqCst) {
            let attempt = self.attempts.fetch_add(1, Ordering::SeqCst) + 1;
            if attempt == Self::MAX_ATTEMPTS {
                self.last.notified().await;
            }
            return Outcome::Retry("poisoned".to_owned());
        }
        let mut done = self.done.lock().expect("unpoisoned");
        done.entry(event.aggregate_id).or_default().push(event.event.version);
        Outcome::Done
    }
}

/// Several events of each article, those of one as far apart as they can be.
async fn articles(server: &NatsServer) -> Vec<Written> {
    let writer = ArticleWriter::new(server).await;
    let mut articles = Vec::new();
    for _ in 0..AGGREGATES {
        articles.push(writer.create("ann", "T", "C").await);
    }
    for _ in 1..EVENTS_EACH {
        for article in &mut articles {
            writer.update(article, "T", "C").await;
        }
    }
    articles
}

#[tokio::test]
async fn one_poisoned_aggregate_in_a_hundred_holds_up_no_other_and_loses_nothing() {
    let server = NatsServer::provisioned().await;
    let (all, mut healthy): (Vec<u64>, _) = ((1..=EVENTS_EACH).collect(), articles(&server).await);
    let poisoned = healthy.swap_remove(AGGREGATES / 3).id;
    let reaction = Poisoned::new(poisoned);
    let stop = CancellationToken::new();
    let task = {
        let (connection, reaction) = (server.connect("notification").await, reaction.clone());
        let stop = stop.clone();
        tokio::spawn(async move { run_reaction(&connection, reaction, &stop).await })
    };
    eventually("the others to be done while one is in its retries", || async {
        let done = healthy.iter().all(|article| reaction.done(article.id).len() == all.len());
        (done && reaction.attempts() == Poisoned::MAX_ATTEMPTS).then_some(())
    })
    .await;
    assert!(healthy.iter().all(|article| reaction.done(article.id) == all), "in order, once");
    assert_eq!(server.messages_in("DEAD_LETTERS").await, 0);

    reaction.last.notify_one();
    eventually("it to be given up on, and the rest of it parked", || async {
        (server.messages_in("DEAD_LETTERS").await == EVENTS_EACH).then_some(())
    })
    .await;
    assert_eq!(reaction.attempts(), Poisoned::MAX_ATTEMPTS, "what is parked is not tried");
    let admin = server.connect("admin").await;
    let subject = format!("events.article.{poisoned}");
    let redrive = || consumer::redrive(&admin, "notification", &subject);
    let failure = Some("poisoned".to_owned());
    assert_eq!(redrive().await.expect("answered"), Redriven { done: 0, failure });
    assert!(reaction.done(poisoned).is_empty());

    reaction.mended.store(true, Ordering::SeqCst);
    let redriven = redrive().await.expect("answered");
    assert_eq!(redriven, Redriven { done: EVENTS_EACH, failure: None });
    assert_eq!(reaction.done(poisoned), all, "in order, once");
    assert!(healthy.iter().all(|article| reaction.done(article.id) == all), "and nobody else");
    assert_eq!(server.messages_in("DEAD_LETTERS").await, 0);
    stop.cancel();
    task.await.expect("it ends when told to");
}
