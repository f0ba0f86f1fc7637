//! Commands, each sent once to three times with its key, while what they depend on is killed every few seconds.
//!
//! `make test` runs a short form of it, `make chaos` the long one. `NEWSWIRE_CHAOS_COMMANDS` and
//! `NEWSWIRE_CHAOS_SEED` choose how many commands, and which.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use messaging::Feed;
use rand::{Rng, SeedableRng, rngs::StdRng};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use test_support::{eventually, http_client};

use crate::{
    app::{mails, setting},
    processes::Installation,
};

/// How many clients send at once.
const LANES: usize = 8;
/// The pause before a command without an outcome is sent again.
const RETRY_PAUSE: Duration = Duration::from_millis(100);
/// How long a command may have no outcome: far longer than anything is down.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a client hears of a command that is accepted: the same every time.
#[derive(Debug, Clone, PartialEq)]
struct Outcome {
    status: u16,
    etag: String,
    position: u64,
    body: Value,
}

/// A command as it is sent.
#[derive(Debug, Clone)]
struct Sending {
    key: String,
    method: Method,
    path: String,
    body: Value,
}

/// What one sending of a command comes to.
enum Attempt {
    /// It has its outcome.
    Outcome(Outcome),
    /// It will have it at this path.
    Later(String),
    /// Nobody knows.
    Again,
}

/// What all clients share.
struct Run {
    url: String,
    token: String,
    commands: usize,
    done: AtomicUsize,
    replayed: AtomicUsize,
    articles: Mutex<Vec<String>>,
    outcomes: Mutex<HashMap<String, Outcome>>,
}

impl Run {
    /// Sends the commands of one client.
    async fn lane(self: Arc<Self>, lane: usize, seed: u64) {
        let mut random = StdRng::seed_from_u64(seed.wrapping_add(lane as u64));
        let client = http_client();
        let mut earlier: Vec<Sending> = Vec::new();
        while self.done.fetch_add(1, Ordering::SeqCst) < self.commands {
            let sending = self.next(lane, earlier.len(), &mut random);
            for _ in 0..random.random_range(1..=3) {
                self.send(&client, &sending, random.random_bool(0.2)).await;
            }
            earlier.push(sending);
            // One from the past, long after others have changed the same article.
            let past = &earlier[random.random_range(0..earlier.len())];
            if random.random_bool(0.1) {
                self.send(&client, past, random.random_bool(0.2)).await;
            }
        }
    }

    fn next(&self, lane: usize, number: usize, random: &mut StdRng) -> Sending {
        let articles = self.articles.lock().expect("unpoisoned");
        let key = format!("{lane}.{number}");
        let title = format!("T{key}");
        if articles.is_empty() || random.random_bool(0.4) {
            let slug = random.random_bool(0.1).then(|| format!("s{lane}-{number}"));
            let body = json!({ "title": title, "content": "C", "slug": slug });
            return Sending { key, method: Method::POST, path: "/api/articles".to_owned(), body };
        }
        // The young ones rather than the old, so that writers meet.
        let newest = articles.len().min(20);
        let id = &articles[articles.len() - 1 - random.random_range(0..newest)];
        let path = format!("/api/articles/{id}");
        Sending { key, method: Method::PUT, path, body: json!({ "title": title, "content": "C" }) }
    }

    /// Sends until there is an outcome, which must be the one that it had before; `later` leaves it to the queue.
    async fn send(&self, client: &Client, sending: &Sending, later: bool) {
        let start = std::time::Instant::now();
        let outcome = loop {
            let outcome = match self.attempt(client, sending, later).await {
                Attempt::Outcome(outcome) => Some(outcome),
                Attempt::Later(path) => self.end(client, sending, &path).await,
                Attempt::Again => None,
            };
            if let Some(outcome) = outcome {
                break outcome;
            }
            assert!(start.elapsed() < PATIENCE, "no outcome of {sending:?}");
            tokio::time::sleep(RETRY_PAUSE).await;
        };
        let first = {
            let mut outcomes = self.outcomes.lock().expect("unpoisoned");
            outcomes.entry(sending.key.clone()).or_insert_with(|| outcome.clone()).clone()
        };
        assert_eq!(outcome, first, "another outcome of {sending:?}");
        if sending.method == Method::POST {
            let id = outcome.body["id"].as_str().expect("an id").to_owned();
            let mut articles = self.articles.lock().expect("unpoisoned");
            if !articles.contains(&id) {
                articles.push(id);
            }
        }
    }

    async fn attempt(&self, client: &Client, sending: &Sending, later: bool) -> Attempt {
        let url = format!("{}{}", self.url, sending.path);
        let request = client.request(sending.method.clone(), url).bearer_auth(&self.token);
        let mut request = request.header("idempotency-key", &sending.key).json(&sending.body);
        if later {
            request = request.header("prefer", "respond-async");
        }
        let Ok(response) = request.send().await else { return Attempt::Again };
        let (status, headers) = (response.status(), response.headers().clone());
        match status {
            StatusCode::CREATED | StatusCode::OK => {}
            StatusCode::ACCEPTED => {
                let path = headers["location"].to_str().expect("ASCII");
                return Attempt::Later(path.to_owned());
            }
            // In flight, not there, or nobody knows: the same again.
            StatusCode::CONFLICT if headers.contains_key("retry-after") => return Attempt::Again,
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => return Attempt::Again,
            other => panic!("{other} for {sending:?}: {:?}", response.text().await),
        }
        let header = |name: &str| headers[name].to_str().expect("ASCII").to_owned();
        let (etag, position) = (header("etag"), header("newswire-position"));
        if headers.contains_key("idempotency-replayed") {
            self.replayed.fetch_add(1, Ordering::Relaxed);
        }
        let Ok(body) = response.json().await else { return Attempt::Again };
        let position = position.parse().expect("a number");
        Attempt::Outcome(Outcome { status: status.as_u16(), etag, position, body })
    }

    /// The outcome of the operation at `path`, as the command itself would have been answered.
    async fn end(&self, client: &Client, sending: &Sending, path: &str) -> Option<Outcome> {
        let request = || client.get(format!("{}{path}", self.url)).bearer_auth(&self.token);
        let operation: Value = eventually("the operation to end", || async {
            let response = request().send().await.ok()?;
            let operation: Value = response.json().await.ok()?;
            matches!(operation["status"].as_str(), Some("done" | "refused" | "failed"))
                .then_some(operation)
        })
        .await;
        assert_eq!(operation["status"], "done", "{operation} for {sending:?}");
        let status = if sending.method == Method::POST { 201 } else { 200 };
        let etag = format!("\"{}\"", operation["version"]);
        let position = operation["position"].as_u64()?;
        Some(Outcome { status, etag, position, body: operation["result"].clone() })
    }
}

/// Kills the article service, the nats-server, and the database or the gateway in turn until every command is sent.
async fn wreck(all: &mut Installation, run: &Run, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let mut kills = 0;
    while run.done.load(Ordering::SeqCst) < run.commands {
        let step = (run.commands / 6).min(400);
        let wanted = run.done.load(Ordering::SeqCst) + random.random_range(step / 3..step);
        eventually("commands to be done, or all", || async {
            let done = run.done.load(Ordering::SeqCst);
            (done >= wanted.min(run.commands)).then_some(())
        })
        .await;
        match (kills % 3, &mut all.postgres) {
            (0, _) => {
                all.kill("article");
                all.run("article");
            }
            (1, _) => {
                all.server.kill();
                all.server.restart();
            }
            (_, Some(postgres)) => {
                postgres.kill().await;
                postgres.restart().await;
            }
            (_, None) => {
                all.kill("gateway");
                all.run("gateway");
            }
        }
        kills += 1;
    }
    assert!(kills >= 3, "not everything was killed");
}

/// Each command has one event, versions are dense, and everybody who consumes events has seen each once.
async fn judge(all: &Installation, run: &Run) {
    let outcomes = run.outcomes.lock().expect("unpoisoned").clone();
    assert_eq!(outcomes.len(), run.commands);
    let feed = Feed::new(all.server.connect("push").await, "judge");
    let last = feed.last_position().await.expect("told");
    let (mut after, mut commands) = (0, HashSet::new());
    let mut versions: BTreeMap<String, u64> = BTreeMap::new();
    while after < last {
        for message in feed.page(after, 500, 1 << 20).await.expect("a page") {
            after = message.position;
            let event = message.event().expect("an event of ours");
            let version = versions.entry(event.aggregate_id.to_string()).or_default();
            *version += 1;
            assert_eq!(event.event.version, *version, "versions are 1, 2, 3 …");
            let command = (event.aggregate_id, event.event.metadata.causation_id);
            assert!(commands.insert(command), "a command has two events");
        }
    }
    assert_eq!(commands.len(), run.commands, "an event for each command");
    let positions: HashSet<u64> = outcomes.values().map(|outcome| outcome.position).collect();
    assert_eq!(positions.len(), run.commands, "each outcome names an event of its own");
    for (id, version) in &versions {
        let request = http_client().get(format!("{}/api/articles/{id}", run.url));
        let request = request.header("newswire-position", last);
        let read = eventually("the read model to have all", || async {
            let response = request.try_clone()?.send().await.ok()?;
            (response.status() == StatusCode::OK).then_some(response.json::<Value>().await.ok()?)
        })
        .await;
        assert_eq!(read["version"], *version);
    }
    eventually("a mail for each event", || async {
        (mails(all.dir.path()).len() == run.commands).then_some(())
    })
    .await;
    assert_eq!(all.server.messages_in("DEAD_LETTERS").await, 0);
}

async fn chaos(mut all: Installation) {
    let commands = usize::try_from(setting("NEWSWIRE_CHAOS_COMMANDS", 300)).expect("it fits");
    let seed = setting("NEWSWIRE_CHAOS_SEED", 1);
    let run = Arc::new(Run {
        url: all.url(),
        token: all.token("ann"),
        commands,
        done: AtomicUsize::new(0),
        replayed: AtomicUsize::new(0),
        articles: Mutex::default(),
        outcomes: Mutex::default(),
    });
    let start = std::time::Instant::now();
    let lanes = (0..LANES).map(|lane| tokio::spawn(run.clone().lane(lane, seed)));
    let lanes: Vec<_> = lanes.collect();
    wreck(&mut all, &run, seed).await;
    for lane in lanes {
        lane.await.expect("every command has one outcome");
    }
    judge(&all, &run).await;
    let replayed = run.replayed.load(Ordering::Relaxed);
    println!("{commands} commands, {replayed} repeats, seed {seed}: {:?}", start.elapsed());
}

#[tokio::test]
async fn every_command_has_one_outcome_however_often_it_is_sent() {
    chaos(Installation::start().await).await;
}

#[tokio::test]
async fn every_command_has_one_outcome_with_articles_in_a_database() {
    chaos(Installation::start_on_postgres().await).await;
}
