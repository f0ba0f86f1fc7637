//! Reads that name a position, while the projection, its database and the nats-server are killed at random and a rebuild
//! goes on: none shows less, and in the end the read model is what a rebuild makes of the events, row for row.
//!
//! `NEWSWIRE_CHAOS_SECONDS` and `NEWSWIRE_CHAOS_SEED` choose how long, and with which pauses.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use reqwest::{Client, Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use test_support::{eventually, http_client};

use crate::{app::setting, processes::Installation};

/// How many clients write and read.
const LANES: u64 = 4;

/// An article as its last acknowledgement told it.
struct Known {
    path: String,
    /// A tag that no other has.
    tag: String,
    version: u64,
    position: u64,
}

struct Witness {
    url: String,
    token: String,
    stop: AtomicBool,
    writes: AtomicUsize,
    reads: AtomicUsize,
}

impl Witness {
    async fn lane(self: Arc<Self>, seed: u64) {
        let mut random = StdRng::seed_from_u64(seed);
        let client = http_client();
        let mut known: Vec<Known> = Vec::new();
        let mut number = 0;
        while !self.stop.load(Ordering::Relaxed) {
            number += 1;
            let chosen = (!known.is_empty() && random.random_bool(0.6))
                .then(|| random.random_range(0..known.len()));
            let title = format!("{seed}-{number}");
            let target = chosen.map(|chosen| &known[chosen]);
            let Some(written) = self.write(&client, target, &title).await else {
                // What is away answers at once that it is: asking without end would keep it from coming back.
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            };
            let index = chosen.unwrap_or(known.len());
            if index == known.len() {
                known.push(written);
            } else {
                known[index] = written;
            }
            self.read(&client, &known[index], known.len()).await;
        }
    }

    /// Changes `target`, or creates one.
    async fn write(&self, client: &Client, target: Option<&Known>, title: &str) -> Option<Known> {
        let method = if target.is_some() { Method::PUT } else { Method::POST };
        let path = target.map_or("/api/articles", |target| &target.path);
        let tag = target.map_or(title, |target| &target.tag).to_owned();
        let body = json!({ "title": title, "content": "C", "tags": [tag] });
        let request = client.request(method, format!("{}{path}", self.url)).json(&body);
        let response = request.bearer_auth(&self.token).send().await.ok()?;
        if !response.status().is_success() {
            return None;
        }
        self.writes.fetch_add(1, Ordering::Relaxed);
        let position = position(response.headers());
        let body: Value = response.json().await.ok()?;
        let path = format!("/api/articles/{}", body["id"].as_str().expect("an id"));
        let version = body["version"].as_u64().expect("a version");
        Some(Known { path, tag, version, position })
    }

    /// Reads `article`, the list that has only it, and its author, who has at least `created` articles by now. It may be
    /// told to come back later, and never sees less than it asked for.
    async fn read(&self, client: &Client, article: &Known, created: usize) {
        let reached = |version: &Value| version.as_u64() >= Some(article.version);
        if let Some(body) = self.get(client, article, &article.path).await {
            assert!(reached(&body["version"]), "at {}: {body}", article.position);
        }
        let path = format!("/api/articles?tag={}&limit=5", article.tag);
        if let Some(body) = self.get(client, article, &path).await {
            let items = body["items"].as_array().expect("items");
            let is_there = items.len() == 1
                && article.path.ends_with(items[0]["id"].as_str().expect("an id"))
                && reached(&items[0]["version"]);
            assert!(is_there, "{path} at {}: {body}", article.position);
        }
        if let Some(body) = self.get(client, article, "/api/authors/ann").await {
            let is_counted = body["created"].as_u64() >= Some(created as u64);
            assert!(is_counted, "not {created} at {}: {body}", article.position);
        }
    }

    /// What `path` shows at the position of `article` or later.
    async fn get(&self, client: &Client, article: &Known, path: &str) -> Option<Value> {
        let request = client.get(format!("{}{path}", self.url));
        let request = request.header("newswire-position", article.position);
        let response = request.send().await.ok()?;
        let status = response.status();
        if [StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT].contains(&status) {
            return None;
        }
        assert_eq!(status, StatusCode::OK, "{path} at {}", article.position);
        assert!(position(response.headers()) >= article.position, "{path}");
        let body = response.json().await.ok()?;
        self.reads.fetch_add(1, Ordering::Relaxed);
        Some(body)
    }
}

fn position(headers: &HeaderMap) -> u64 {
    let position = headers["newswire-position"].to_str().expect("ASCII");
    position.parse().expect("a number")
}

/// `newswire projection …`; whether it succeeded, and what it said.
fn projection(all: &Installation, arguments: &[&str]) -> (bool, String) {
    let output = all.command("newswire", "admin").arg("projection").args(arguments).output();
    let output = output.expect("newswire runs");
    let text = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
    (output.status.success(), text)
}

/// Kills one after the other, with a rebuild going on whenever there is none.
async fn wreck(all: &mut Installation, until: Instant, seed: u64) -> usize {
    let mut random = StdRng::seed_from_u64(seed);
    let mut kills = 0;
    while Instant::now() < until || kills < 6 {
        projection(all, &["rebuild", "articles", "--detach"]);
        tokio::time::sleep(Duration::from_millis(random.random_range(100..1500))).await;
        match (kills % 3, &mut all.postgres) {
            (1, _) => {
                all.server.kill();
                all.server.restart();
            }
            (2, Some(postgres)) => {
                postgres.kill().await;
                postgres.restart().await;
            }
            _ => {
                all.kill("projection");
                all.run("projection");
            }
        }
        kills += 1;
    }
    kills
}

async fn chaos(mut all: Installation) {
    let seed = setting("NEWSWIRE_CHAOS_SEED", 1);
    let until = Instant::now() + Duration::from_secs(setting("NEWSWIRE_CHAOS_SECONDS", 8));
    let witness = Arc::new(Witness {
        url: all.url(),
        token: all.token("ann"),
        stop: AtomicBool::new(false),
        writes: AtomicUsize::new(0),
        reads: AtomicUsize::new(0),
    });
    let lanes = (0..LANES).map(|lane| tokio::spawn(witness.clone().lane(seed * 100 + lane)));
    let lanes: Vec<_> = lanes.collect();
    let kills = wreck(&mut all, until, seed).await;
    witness.stop.store(true, Ordering::Relaxed);
    for lane in lanes {
        lane.await.expect("no read showed less than it named");
    }
    let (writes, reads) =
        (witness.writes.load(Ordering::Relaxed), witness.reads.load(Ordering::Relaxed));
    assert!(writes > 20 && reads > 20, "{writes} writes, {reads} reads");
    // Whatever rebuild still goes on ends by itself; then another is compared row for row.
    eventually("the rebuild to end", || async {
        let (succeeded, status) = projection(&all, &["status"]);
        (succeeded && !status.contains("building")).then_some(())
    })
    .await;
    let (succeeded, said) = projection(&all, &["rebuild", "articles", "--verify"]);
    assert!(succeeded, "{said}");
    let log = std::fs::read_to_string(all.dir.path().join("projection.log")).expect("a log");
    assert!(log.contains("equals the live one row for row"), "{said}");
    assert_eq!(all.server.messages_in("DEAD_LETTERS").await, 0);
    println!("{kills} kills, {writes} writes, {reads} reads that named a position, seed {seed}");
}

// Whatever wrecks waits for processes, and those who write and read must not wait with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_read_shows_less_than_it_names_whatever_is_killed() {
    chaos(Installation::start().await).await;
}

// Whatever wrecks waits for processes, and those who write and read must not wait with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_read_shows_less_than_it_names_with_the_read_model_in_a_database() {
    chaos(Installation::start_with_projection_on_postgres().await).await;
}
