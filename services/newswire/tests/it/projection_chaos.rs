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
            let path = chosen.map_or("/api/articles", |chosen| &known[chosen].path);
            let method = if chosen.is_some() { Method::PUT } else { Method::POST };
            let key = format!("{seed}.{number}");
            let Some(written) = self.write(&client, method, path, &key).await else { continue };
            let index = chosen.unwrap_or(known.len());
            if index == known.len() {
                known.push(written);
            } else {
                known[index] = written;
            }
            self.read(&client, &known[index]).await;
        }
    }

    async fn write(&self, client: &Client, method: Method, path: &str, key: &str) -> Option<Known> {
        let body = json!({ "title": key, "content": "C", "tags": ["chaos"] });
        let request = client.request(method, format!("{}{path}", self.url)).json(&body);
        let response = request.bearer_auth(&self.token).send().await.ok()?;
        if !response.status().is_success() {
            return None;
        }
        self.writes.fetch_add(1, Ordering::Relaxed);
        let position = position(response.headers());
        let body: Value = response.json().await.ok()?;
        let path = format!("/api/articles/{}", body["id"].as_str().expect("an id"));
        Some(Known { path, version: body["version"].as_u64().expect("a version"), position })
    }

    /// It may be told to come back later, and never sees less than it asked for.
    async fn read(&self, client: &Client, article: &Known) {
        for path in [&article.path, "/api/articles?tag=chaos&limit=5", "/api/authors/ann"] {
            let request = client.get(format!("{}{path}", self.url));
            let request = request.header("newswire-position", article.position);
            let Ok(response) = request.send().await else { return };
            let status = response.status();
            if [StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT].contains(&status) {
                continue;
            }
            assert_eq!(status, StatusCode::OK, "{path} at {}", article.position);
            assert!(position(response.headers()) >= article.position, "{path}");
            let Ok(body) = response.json::<Value>().await else { return };
            if let Some(version) = body["version"].as_u64() {
                assert!(version >= article.version, "{path} at {}: {body}", article.position);
            }
            self.reads.fetch_add(1, Ordering::Relaxed);
        }
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

#[tokio::test]
async fn no_read_shows_less_than_it_names_whatever_is_killed() {
    chaos(Installation::start().await).await;
}

#[tokio::test]
async fn no_read_shows_less_than_it_names_with_the_read_model_in_a_database() {
    chaos(Installation::start_with_projection_on_postgres().await).await;
}
