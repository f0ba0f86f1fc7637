//! Judges from outside whether what was acknowledged is there, and the rest not twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use reqwest::StatusCode;
use serde_json::{Value, json};
use test_support::http_client;

/// What a driver heard of each of its articles, by title.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// It was acknowledged at this position.
    Acknowledged(u64),
    /// It was refused with 503: nothing was changed.
    Refused,
    /// Nobody knows.
    Unknown,
}

/// Posts articles, each once and without a key, and notes what it hears.
pub struct Driver {
    shared: Arc<Shared>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    heard: Mutex<BTreeMap<String, Heard>>,
    acknowledged: AtomicUsize,
    refused: AtomicUsize,
    unknown: AtomicUsize,
    position: AtomicU64,
}

impl Shared {
    fn note(&self, title: String, heard: Heard) {
        match heard {
            Heard::Acknowledged(position) => {
                self.position.fetch_max(position, Ordering::SeqCst);
                self.acknowledged.fetch_add(1, Ordering::SeqCst);
            }
            Heard::Refused => drop(self.refused.fetch_add(1, Ordering::SeqCst)),
            Heard::Unknown => drop(self.unknown.fetch_add(1, Ordering::SeqCst)),
        }
        self.heard.lock().expect("unpoisoned").insert(title, heard);
    }
}

impl Driver {
    /// Posts to `url` with `token`, four at a time.
    pub fn start(url: &str, token: &str) -> Self {
        Self::start_with_pauses(url, token, Duration::ZERO)
    }

    /// The same, with a `pause` behind each.
    pub fn start_with_pauses(url: &str, token: &str, pause: Duration) -> Self {
        let shared = Arc::new(Shared::default());
        let lane = |lane| {
            let (url, token) = (format!("{url}/api/articles"), token.to_owned());
            tokio::spawn(post(lane, url, token, pause, shared.clone()))
        };
        let tasks = (0..4).map(lane).collect();
        Self { shared, tasks }
    }

    /// How many were acknowledged by now.
    pub fn acknowledged(&self) -> usize {
        self.shared.acknowledged.load(Ordering::SeqCst)
    }

    /// How many were refused for certain.
    pub fn refused(&self) -> usize {
        self.shared.refused.load(Ordering::SeqCst)
    }

    /// How many ended so that nobody knows.
    pub fn unknown(&self) -> usize {
        self.shared.unknown.load(Ordering::SeqCst)
    }

    /// The last position that was acknowledged.
    pub fn position(&self) -> u64 {
        self.shared.position.load(Ordering::SeqCst)
    }

    /// Stops and tells what was heard.
    pub async fn finish(self) -> BTreeMap<String, Heard> {
        self.shared.stop.store(true, Ordering::SeqCst);
        for task in self.tasks {
            task.await.expect("no panic");
        }
        let heard = self.shared.heard.lock().expect("unpoisoned");
        heard.clone()
    }
}

async fn post(lane: u32, url: String, token: String, pause: Duration, shared: Arc<Shared>) {
    let client = http_client();
    let mut number = 0;
    while !shared.stop.load(Ordering::SeqCst) {
        let title = format!("{lane}.{number}");
        let body = json!({ "title": title, "content": "C" });
        let sent = client.post(&url).bearer_auth(&token).json(&body).send().await;
        let heard = match sent {
            Ok(response) if response.status() == StatusCode::CREATED => {
                let position = &response.headers()["newswire-position"];
                let position = position.to_str().expect("ASCII").parse();
                Heard::Acknowledged(position.expect("a number"))
            }
            Ok(response) if response.status() == StatusCode::SERVICE_UNAVAILABLE => Heard::Refused,
            _ => Heard::Unknown,
        };
        shared.note(title, heard);
        number += 1;
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }
}

/// Compares what was heard with the articles in the read model and the mails.
pub fn judge(heard: &BTreeMap<String, Heard>, items: &[Value], mails: &[String]) {
    let titles: Vec<&str> =
        items.iter().map(|item| item["title"].as_str().expect("a title")).collect();
    let there: BTreeSet<&str> = titles.iter().copied().collect();
    assert_eq!(there.len(), titles.len(), "an article is there twice");
    for (title, heard) in heard {
        let is_there = there.contains(title.as_str());
        match heard {
            Heard::Acknowledged(_) => assert!(is_there, "{title} was acknowledged and is lost"),
            Heard::Refused => assert!(!is_there, "{title} was refused and is there"),
            Heard::Unknown => {}
        }
    }
    for title in &there {
        assert!(heard.contains_key(*title), "{title} was never sent");
    }
    assert_eq!(mails.len(), there.len(), "a mail for each article");
    for title in &there {
        let subject = format!("Title:   {title}\r\n");
        let count = mails.iter().filter(|mail| mail.contains(&subject)).count();
        assert_eq!(count, 1, "mails about {title}");
    }
}
