//! Judges from outside whether what was acknowledged is there, and the rest not twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use reqwest::StatusCode;
use serde_json::{Value, json};
use test_support::http_client;

/// What a driver heard of each of its articles, by title.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// It was acknowledged at this position.
    Acknowledged(u64),
    /// Nobody knows.
    Unknown,
}

/// Posts articles, each once and without a key, and notes what it hears.
pub struct Driver {
    stop: Arc<AtomicBool>,
    heard: Arc<Mutex<BTreeMap<String, Heard>>>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Driver {
    /// Posts to `url` with `token`, four at a time.
    pub fn start(url: &str, token: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let heard = Arc::new(Mutex::new(BTreeMap::new()));
        let tasks = (0..4)
            .map(|lane| {
                let (stop, heard) = (stop.clone(), heard.clone());
                let (url, token) = (format!("{url}/api/articles"), token.to_owned());
                tokio::spawn(async move {
                    let client = http_client();
                    let mut number = 0;
                    while !stop.load(Ordering::Relaxed) {
                        let title = format!("{lane}.{number}");
                        let body = json!({ "title": title, "content": "C" });
                        let sent = client.post(&url).bearer_auth(&token).json(&body).send().await;
                        let outcome = match sent {
                            Ok(response) if response.status() == StatusCode::CREATED => {
                                let position = &response.headers()["newswire-position"];
                                let position = position.to_str().expect("ASCII").parse();
                                Heard::Acknowledged(position.expect("a number"))
                            }
                            _ => Heard::Unknown,
                        };
                        heard.lock().expect("unpoisoned").insert(title, outcome);
                        number += 1;
                    }
                })
            })
            .collect();
        Self { stop, heard, tasks }
    }

    /// How many were acknowledged by now.
    pub fn acknowledged(&self) -> usize {
        let heard = self.heard.lock().expect("unpoisoned");
        heard.values().filter(|heard| matches!(heard, Heard::Acknowledged(_))).count()
    }

    /// Stops and tells what was heard.
    pub async fn finish(self) -> BTreeMap<String, Heard> {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.expect("no panic");
        }
        let heard = self.heard.lock().expect("unpoisoned");
        heard.clone()
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
        assert!(is_there || *heard == Heard::Unknown, "{title} was acknowledged and is lost");
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
