//! An installation whose stream is exchanged for another one.

use std::{
    cell::Cell,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use reqwest::Method;
use serde_json::json;
use test_support::eventually;

use crate::{
    app::{App, send},
    children::{children, kill, pause},
    socket::Socket,
};

const ANOTHER_STREAM: &str = "urn:newswire:problem:position-of-another-stream";
/// Lists that have more than a page.
const PAGES: [&str; 2] = ["/api/articles?limit=1", "/api/articles?q=T&limit=1"];

/// A written article.
pub struct Written {
    pub id: String,
    pub position: u64,
    pub stream: String,
}

/// A folder's copy, with its times.
fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(copied.expect("cp runs").success());
}

fn sorted(written: &[&[Written]]) -> Vec<String> {
    let mut ids: Vec<_> =
        written.iter().copied().flatten().map(|written| written.id.clone()).collect();
    ids.sort_unstable();
    ids
}

/// An installation whose stream is exchanged, and the folder of its nats-server.
pub struct Exchange {
    pub app: App,
    folder: PathBuf,
    /// How many idempotency keys are used up.
    keys: Cell<u32>,
}

impl Exchange {
    pub fn of(app: App) -> Self {
        let folder = app.data().join("nats");
        assert!(folder.is_dir(), "the nats-server keeps its data there");
        Self { app, folder, keys: Cell::new(0) }
    }

    fn copies(&self, name: &str) -> PathBuf {
        self.app.dir.path().join(name)
    }

    /// Keeps the stream of this moment, of a stopped installation.
    pub fn keep(&self, name: &str) {
        copy(&self.folder, &self.copies(name));
    }

    /// Puts what was kept below the installation; nothing, when it has no such name.
    pub fn put(&self, name: &str) {
        fs::remove_dir_all(&self.folder).expect("it is there");
        let kept = self.copies(name);
        if kept.is_dir() {
            copy(&kept, &self.folder);
        }
    }

    /// Keeps everything that a stopped installation has.
    pub fn keep_all(&self, name: &str) {
        copy(&self.app.data(), &self.copies(name));
    }

    /// Puts everything back that was kept.
    pub fn put_all(&self, name: &str) {
        fs::remove_dir_all(self.app.data()).expect("it is there");
        copy(&self.copies(name), &self.app.data());
    }

    /// What `newswire stream` says.
    pub fn stream(&self, arguments: &[&str]) -> String {
        let output = self.app.command(&["stream"]).args(arguments).output().expect("it runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// Exchanges the stream of a stopped installation.
    pub async fn exchange(&mut self, name: &str) {
        assert_eq!(self.app.interrupt(), Some(0), "{}", self.app.log());
        self.put(name);
        self.app.run().await;
    }

    /// Exchanges the stream of a running one: its nats-server ends without a word and is started on other data.
    pub async fn exchange_below(&self, name: &str) {
        let before = children(self.app.pid());
        pause(&before);
        self.put(name);
        kill(&before);
        eventually("the nats-server to be started again", || async {
            let now = children(self.app.pid());
            (!now.is_empty() && now.iter().all(|pid| !before.contains(pid))).then_some(())
        })
        .await;
    }

    pub async fn write(&self, count: usize) -> Vec<Written> {
        let mut all = Vec::new();
        for _ in 0..count {
            let body = json!({ "title": "T", "content": "C" });
            // While the nats-server starts, a write is refused or of unknown outcome: it is asked for again.
            self.keys.set(self.keys.get() + 1);
            let key = self.keys.get().to_string();
            let created = eventually("an article to be written", || async {
                let request = self.app.request(Method::POST, "/api/articles").json(&body);
                let created = send(request.header("idempotency-key", &key)).await;
                (created.status == 201).then_some(created)
            })
            .await;
            all.push(Written {
                id: created.body["id"].as_str().expect("an id").to_owned(),
                position: created.header("newswire-position").parse().expect("a number"),
                stream: created.header("newswire-stream").to_owned(),
            });
        }
        all
    }

    /// Waits until there is one mail about each of `written`, and says that there are no others.
    pub async fn mailed_once(&self, written: &[&[Written]]) {
        let ids = || written.iter().copied().flatten().map(|written| &written.id);
        let mails = eventually("a mail about each article", || async {
            let mails = self.app.mails();
            ids().all(|id| mails.iter().any(|mail| mail.contains(id))).then_some(mails)
        })
        .await;
        assert_eq!(mails.len(), ids().count(), "{mails:#?}");
    }

    /// Says that the read model has `there` and nothing else, and that positions of `gone` are refused.
    pub async fn judge(&self, there: &[&[Written]], gone: &[Written]) {
        let positions = there.iter().copied().flatten().map(|written| written.position);
        let end = positions.max().expect("one is there");
        let found = eventually("the read model to be rebuilt", || self.ids(end)).await;
        assert_eq!(found, sorted(there));
        for lost in gone {
            let path = format!("/api/articles/{}", lost.id);
            let read = send(self.app.request(Method::GET, &path)).await;
            assert_eq!(read.status, 404, "{read:?}");
            self.is_refused(lost).await;
        }
    }

    /// Waits until the read model has `there` and nothing else, wherever that is in the stream by now.
    pub async fn has_all(&self, there: &[&[Written]]) {
        let expected = sorted(there);
        eventually("the read model to have everything again", || async {
            (self.ids(0).await? == expected).then_some(())
        })
        .await;
    }

    /// The ids of all articles, sorted; `None` while they cannot be read up to `position`.
    async fn ids(&self, position: u64) -> Option<Vec<String>> {
        let request = self.app.request(Method::GET, "/api/articles?limit=100");
        let page = send(request.header("newswire-position", position)).await;
        let items = page.body["items"].as_array().filter(|_| page.status == 200)?;
        let mut ids: Vec<_> =
            items.iter().map(|item| item["id"].as_str().expect("an id").to_owned()).collect();
        ids.sort_unstable();
        Some(ids)
    }

    /// A position of a stream that is gone is refused over HTTP, and a socket hears that it missed something.
    pub async fn is_refused(&self, lost: &Written) {
        let request = self.app.request(Method::GET, "/api/articles");
        let request = request.header("newswire-position", lost.position);
        let refused = send(request.header("newswire-stream", &lost.stream)).await;
        assert_eq!(refused.status, 409, "{refused:?}");
        assert_eq!(refused.body["type"], ANOTHER_STREAM, "{refused:?}");
        let mut socket = Socket::connect(&self.app).await;
        let subscribed = socket.subscribe_behind(lost.position, &lost.stream).await;
        assert_eq!(subscribed["recovered"], false, "{subscribed}");
        assert_ne!(subscribed["stream"], json!(lost.stream), "{subscribed}");
    }

    /// The cursor of the second page of a list, and of a search.
    pub async fn cursors(&self) -> Vec<String> {
        let mut cursors = Vec::new();
        for path in PAGES {
            let page = send(self.app.request(Method::GET, path)).await;
            let next = page.body["next"].as_str().expect("there are more").to_owned();
            let path = format!("{path}&cursor={next}");
            let second = send(self.app.request(Method::GET, &path)).await;
            assert_eq!(second.status, 200, "{second:?}");
            cursors.push(path);
        }
        cursors
    }

    /// Cursors of a stream that is gone are refused.
    pub async fn refuses(&self, cursors: &[String]) {
        for path in cursors {
            let refused = send(self.app.request(Method::GET, path)).await;
            assert_eq!(refused.status, 409, "{refused:?}");
            assert_eq!(refused.body["type"], ANOTHER_STREAM, "{refused:?}");
        }
    }

    /// The log has `words`, which it did not have before the last exchange.
    pub fn said(&self, before: usize, words: &str) {
        let log = self.app.log();
        assert!(log[before..].contains(words), "{words} in {}", &log[before..]);
    }
}
