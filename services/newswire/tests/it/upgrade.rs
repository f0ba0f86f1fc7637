//! An installation of the release before contexts were crates is opened by this one: `tests/fixtures/record.py` recorded what it left
//! behind and what it answered.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use test_support::PostgresServer;

use crate::app::{App, Response, send};

/// A request that was sent, and its answer.
#[derive(Debug, Deserialize)]
struct Recorded {
    method: String,
    path: String,
    user: Option<String>,
    headers: Map<String, Value>,
    body: Option<Value>,
    status: u16,
    answer_headers: Map<String, Value>,
    answer: Option<Value>,
}

impl Recorded {
    fn is_read(&self) -> bool {
        self.method == "GET"
    }

    /// Whether the command was executed, so that a repeat of it has the same outcome.
    fn is_accepted(&self) -> bool {
        !self.is_read() && (200..300).contains(&self.status)
    }

    async fn send(&self, app: &App) -> Response {
        let method: Method = self.method.parse().expect("a method");
        let mut request = app.anonymous(method, &self.path);
        if let Some(user) = &self.user {
            request = request.bearer_auth(app.mint(&["--user", user]));
        }
        for (name, value) in &self.headers {
            request = request.header(name, value.as_str().expect("text"));
        }
        if let Some(body) = &self.body {
            request = request.json(body);
        }
        send(request).await
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/before-contexts").join(name)
}

fn requests(fixture: &Path) -> Vec<Recorded> {
    let lines = fs::read_to_string(fixture.join("requests.jsonl")).expect("recorded");
    lines.lines().map(|line| serde_json::from_str(line).expect("a request a line")).collect()
}

/// Puts the data folder that was recorded into `folder`.
fn unpack(fixture: &Path, folder: &Path) {
    let archive = fixture.join("data.tar.gz");
    let unpacked = Command::new("tar").arg("xzf").arg(archive).arg("-C").arg(folder).status();
    assert!(unpacked.expect("tar runs").success());
}

#[tokio::test]
async fn an_installation_of_the_release_before_goes_on() {
    let fixture = fixture("jetstream");
    let app = App::start_on_data(|folder| unpack(&fixture, folder), None).await;
    judge(&app, &requests(&fixture)).await;
    assert!(verified(&app).contains("1 flaw"), "the event that nobody can read is the only one");
    let dead = app.command(&["dead", "list"]).output().expect("newswire runs");
    let dead = String::from_utf8_lossy(&dead.stdout).into_owned();
    for consumer in ["projection", "notification"] {
        assert!(dead.contains(consumer), "{dead}");
    }
}

#[tokio::test]
async fn an_installation_on_postgres_of_the_release_before_goes_on() {
    let fixture = fixture("postgres");
    let postgres = PostgresServer::start().await;
    postgres.load(&fixture.join("database.sql.gz"));
    let app = App::start_on_data(|folder| unpack(&fixture, folder), Some(postgres)).await;
    judge(&app, &requests(&fixture)).await;
    assert!(verified(&app).contains("nothing is missing"));
}

/// What is said of the events.
fn verified(app: &App) -> String {
    let verified = app.command(&["verify"]).output().expect("newswire runs");
    String::from_utf8_lossy(&verified.stdout).into_owned()
}

async fn judge(app: &App, requests: &[Recorded]) {
    let mails = app.mails().len();
    for asked in requests.iter().filter(|asked| asked.is_read()) {
        let answer = asked.send(app).await;
        assert_eq!(answer.status, asked.status, "{asked:?} {answer:?}");
        assert_eq!(answer.body, asked.answer.clone().unwrap_or_default(), "{asked:?}");
        let etag = asked.answer_headers.get("etag").and_then(Value::as_str);
        assert_eq!(answer.header("etag"), etag.unwrap_or_default());
    }
    for asked in requests.iter().filter(|asked| asked.is_accepted()) {
        let answer = asked.send(app).await;
        assert_eq!(answer.status, asked.status, "{asked:?} {answer:?}");
        if asked.status != 202 {
            assert_eq!(answer.body, asked.answer.clone().unwrap_or_default(), "{asked:?}");
        }
        for (name, value) in &asked.answer_headers {
            assert_eq!(answer.header(name), value.as_str().expect("text"), "{name} of {asked:?}");
        }
    }
    assert_eq!(app.mails().len(), mails, "a repeat tells nobody");
    go_on(app, requests).await;
}

/// A slug that was taken before is free once its article has another, and then taken again.
async fn moves_on(app: &App, second: &Recorded) {
    let path = second.answer_headers["location"].as_str().expect("the article of bob");
    let bob = app.mint(&["--user", "bob"]);
    let moved = json!({"title": "T", "content": "C", "slug": "moved"});
    let request = app.anonymous(Method::PUT, path).bearer_auth(bob).json(&moved);
    assert_eq!(send(request).await.status, 200);
    let body = json!({"title": "T", "content": "C", "slug": "second"});
    let take = || send(app.request(Method::POST, "/api/articles").json(&body));
    assert_eq!((take().await.status, take().await.status), (201, 409));
}

/// What was there can be changed, and the rules still hold.
async fn go_on(app: &App, requests: &[Recorded]) {
    let first = requests[0].answer.as_ref().expect("the first article");
    let path = format!("/api/articles/{}", first["id"].as_str().expect("an id"));
    let stale = json!({"title": "T", "content": "C"});
    let request = app.request(Method::PUT, &path).header("if-match", "\"1\"").json(&stale);
    assert_eq!(send(request).await.status, 412);
    let taken = json!({"title": "T", "content": "C", "slug": "second"});
    assert_eq!(send(app.request(Method::POST, "/api/articles").json(&taken)).await.status, 409);
    moves_on(app, &requests[6]).await;
    // Another command under a key that was used is recognised.
    let reused = app.request(Method::POST, "/api/articles").header("idempotency-key", "first");
    assert_eq!(send(reused.json(&stale)).await.status, 422);
    let status = app.command(&["projection", "status"]).output().expect("newswire runs");
    assert!(String::from_utf8_lossy(&status.stdout).contains("1  live"), "{status:?}");
}
