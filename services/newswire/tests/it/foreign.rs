//! The stream is replaced by another one below everything that was made from it.

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
struct Written {
    id: String,
    position: u64,
    stream: String,
}

/// A folder's copy, with its times.
fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(copied.expect("cp runs").success());
}

/// An installation whose stream is exchanged, and the folder of its nats-server.
struct Exchange {
    app: App,
    folder: PathBuf,
    /// How many idempotency keys are used up.
    keys: Cell<u32>,
}

impl Exchange {
    fn of(app: App) -> Self {
        let folder = app.data().join("nats");
        assert!(folder.is_dir(), "the nats-server keeps its data there");
        Self { app, folder, keys: Cell::new(0) }
    }

    fn copies(&self, name: &str) -> PathBuf {
        self.app.dir.path().join(name)
    }

    /// Keeps the stream of this moment, of a stopped installation.
    fn keep(&self, name: &str) {
        copy(&self.folder, &self.copies(name));
    }

    /// Puts what was kept below the installation; nothing, when it has no such name.
    fn put(&self, name: &str) {
        fs::remove_dir_all(&self.folder).expect("it is there");
        let kept = self.copies(name);
        if kept.is_dir() {
            copy(&kept, &self.folder);
        }
    }

    /// Exchanges the stream of a stopped installation.
    async fn exchange(&mut self, name: &str) {
        assert_eq!(self.app.interrupt(), Some(0), "{}", self.app.log());
        self.put(name);
        self.app.run().await;
    }

    /// Exchanges the stream of a running one: its nats-server ends without a word and is started on other data.
    async fn exchange_below(&self, name: &str) {
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

    async fn write(&self, count: usize) -> Vec<Written> {
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

    /// Says that the read model has `there` and nothing else, and that positions of `gone` are refused.
    async fn judge(&self, there: &[&[Written]], gone: &[Written]) {
        let there: Vec<_> = there.iter().copied().flatten().collect();
        let end = there.iter().map(|written| written.position).max().expect("one is there");
        let items = eventually("the read model to be rebuilt", || async {
            let request = self.app.request(Method::GET, "/api/articles?limit=100");
            let page = send(request.header("newswire-position", end)).await;
            (page.status == 200).then(|| page.body["items"].as_array().expect("items").clone())
        })
        .await;
        let mut found: Vec<_> =
            items.iter().map(|item| item["id"].as_str().expect("an id")).collect();
        let mut expected: Vec<_> = there.iter().map(|written| written.id.as_str()).collect();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected);
        for lost in gone {
            let path = format!("/api/articles/{}", lost.id);
            let read = send(self.app.request(Method::GET, &path)).await;
            assert_eq!(read.status, 404, "{read:?}");
            self.is_refused(lost).await;
        }
    }

    /// A position of a stream that is gone is refused over HTTP, and a socket hears that it missed something.
    async fn is_refused(&self, lost: &Written) {
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
    async fn cursors(&self) -> Vec<String> {
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
    async fn refuses(&self, cursors: &[String]) {
        for path in cursors {
            let refused = send(self.app.request(Method::GET, path)).await;
            assert_eq!(refused.status, 409, "{refused:?}");
            assert_eq!(refused.body["type"], ANOTHER_STREAM, "{refused:?}");
        }
    }

    /// The log has `words`, which it did not have before the last exchange.
    fn said(&self, before: usize, words: &str) {
        let log = self.app.log();
        assert!(log[before..].contains(words), "{words} in {}", &log[before..]);
    }
}

/// Every way to meet another stream, one after the other.
async fn no_exchange_leads_to_a_wrong_answer(app: App) {
    let mut it = Exchange::of(app);
    let first = it.write(4).await;
    it.judge(&[&first], &[]).await;
    assert_eq!(it.app.interrupt(), Some(0), "{}", it.app.log());
    it.keep("backup");
    it.app.run().await;
    let lost = it.write(5).await;
    it.judge(&[&first, &lost], &[]).await;

    let cursors = it.cursors().await;

    // A backup under databases that are ahead of it; then the positions are given out again.
    assert_eq!(it.app.interrupt(), Some(0), "{}", it.app.log());
    it.keep("longer");
    it.put("backup");
    let before = it.app.log().len();
    it.app.run().await;
    let second = it.write(5).await;
    it.judge(&[&first, &second], &lost).await;
    it.refuses(&cursors).await;
    it.said(before, "belongs to another stream");

    // Another folder.
    let before = it.app.log().len();
    it.exchange("nothing").await;
    let third = it.write(1).await;
    it.judge(&[&third], &second).await;
    it.said(before, "belongs to another stream");

    // A longer one.
    let before = it.app.log().len();
    it.exchange("longer").await;
    it.judge(&[&first, &lost], &third).await;
    it.said(before, "belongs to another stream");

    // Another one below a running installation, to which a socket listens.
    let before = it.app.log().len();
    it.exchange_below("backup").await;
    let fourth = it.write(6).await;
    it.judge(&[&first, &fourth], &[]).await;
    it.said(before, "belongs to another stream");
}

/// The stream of a running installation loses its last event, as in a power cut, and gives the position out again.
async fn a_stream_that_goes_back_is_another_one(app: App) {
    let mut it = Exchange::of(app);
    let first = it.write(3).await;
    it.judge(&[&first], &[]).await;
    assert_eq!(it.app.interrupt(), Some(0), "{}", it.app.log());
    it.keep("a second ago");
    it.app.run().await;
    let lost = it.write(1).await;
    it.judge(&[&first, &lost], &[]).await;
    let before = it.app.log().len();
    it.exchange_below("a second ago").await;
    let again = it.write(1).await;
    it.judge(&[&first, &again], &lost).await;
    assert_ne!(again[0].stream, lost[0].stream, "it has an identity of its own");
    it.said(before, "belongs to another stream");
}

#[tokio::test]
async fn another_stream_under_sqlite_leads_to_no_wrong_answer() {
    no_exchange_leads_to_a_wrong_answer(App::start().await).await;
}

#[tokio::test]
async fn another_stream_under_postgres_leads_to_no_wrong_answer() {
    no_exchange_leads_to_a_wrong_answer(App::start_with_projection_on_postgres().await).await;
}

#[tokio::test]
async fn a_stream_that_went_back_under_sqlite_is_another_one() {
    a_stream_that_goes_back_is_another_one(App::start().await).await;
}

#[tokio::test]
async fn a_stream_that_went_back_under_postgres_is_another_one() {
    a_stream_that_goes_back_is_another_one(App::start_with_projection_on_postgres().await).await;
}
