//! A process that cannot do its work says so within seconds, and is able again by itself once the cause is gone.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::json;
use test_support::{delete_stream, eventually};

use crate::{
    app::{App, Response, send},
    children::{children, kill, pause, reload},
};

/// How long it may be called ready although it is not able. The promise is two seconds; the third is for the looking, and for a
/// machine that does other things as well.
const SHOWN: Duration = Duration::from_secs(3);
/// How long it may be unable after the end of the cause.
const HEALED: Duration = Duration::from_secs(10);

async fn write(app: &App, title: &str) -> Response {
    let body = json!({ "title": title, "content": "C" });
    let request = app.request(Method::POST, "/api/articles").json(&body);
    // The key makes one of all attempts.
    send(request.header("idempotency-key", title)).await
}

/// The components that are not ready, with what they say.
async fn unready(app: &App) -> Vec<(String, String)> {
    let ready = send(app.anonymous(Method::GET, "/readyz")).await;
    let components = ready.body["components"].as_object().expect("components");
    let unready: Vec<_> = components
        .iter()
        .filter_map(|(name, state)| Some((name.clone(), state["not_ready"].as_str()?.to_owned())))
        .collect();
    assert_eq!(ready.status == 503, !unready.is_empty(), "{ready:?}");
    unready
}

/// Waits until a component says `words`, and judges how long that took since `cause`.
async fn shown(app: &App, cause: Instant, words: &str) -> Duration {
    eventually(&format!("{words} in /readyz"), || async {
        unready(app).await.iter().any(|(_, said)| said.contains(words)).then_some(())
    })
    .await;
    let shown = cause.elapsed();
    assert!(shown < SHOWN, "{words}: shown after {shown:?}");
    shown
}

/// Waits until everything works, and judges how long that took since `end`.
async fn healed(app: &App, end: Instant, title: &str) -> Duration {
    eventually("everything to work again", || async {
        let written = write(app, title).await;
        let position = (written.status == 201).then(|| written.header("newswire-position"))?;
        let list = app.anonymous(Method::GET, "/api/articles?limit=1");
        let list = send(list.header("newswire-position", position)).await;
        (list.status == 200 && unready(app).await.is_empty()).then_some(())
    })
    .await;
    let healed = end.elapsed();
    assert!(healed < HEALED, "{title}: able after {healed:?}");
    healed
}

/// The nats-server of an installation: its files, and its process.
struct Server<'a>(&'a App);

impl Server<'_> {
    fn folder(&self) -> PathBuf {
        self.0.data().join("nats")
    }

    /// Deletes a stream, as an administrator may.
    async fn delete(&self, stream: &str) {
        let password = fs::read_to_string(self.folder().join("password")).expect("a password");
        let url = format!("nats://127.0.0.1:{}", self.0.nats);
        delete_stream(&url, password.trim(), stream).await;
    }

    /// Has it read `permissions` in place of those that it has.
    fn permit(&self, permissions: &str) {
        let path = self.folder().join("permissions.conf");
        fs::write(path, permissions).expect("the permissions are written");
        reload(&children(self.0.pid()));
    }
}

#[tokio::test]
async fn a_stream_that_was_deleted_is_said_and_its_backup_heals_it() {
    let mut app = App::start().await;
    assert_eq!(write(&app, "kept").await.status, 201);
    assert_eq!(app.interrupt(), Some(0));
    let (folder, backup) = (Server(&app).folder(), app.dir.path().join("backup"));
    let copy = |from: &PathBuf, to: &PathBuf| {
        let copied = Command::new("cp").arg("-a").arg(from).arg(to).status();
        assert!(copied.expect("cp runs").success());
    };
    copy(&folder, &backup);
    app.run().await;

    let deleted = Instant::now();
    Server(&app).delete("EVENTS").await;
    for title in ["at once", "again"] {
        let (sent, refused) = (Instant::now(), write(&app, title).await);
        assert_eq!(refused.status, 503, "{refused:?}");
        assert!(sent.elapsed() < SHOWN, "refused after {:?}", sent.elapsed());
    }
    let said = shown(&app, deleted, "the stream EVENTS is gone: restore it from a backup").await;
    for component in ["article: stream", "projection: stream", "push: stream"] {
        let unready = unready(&app).await;
        assert!(unready.iter().any(|(name, _)| name == component), "{component}: {unready:?}");
    }
    let read = send(app.anonymous(Method::GET, "/api/articles")).await;
    assert_eq!(read.status, 200, "the read model is there: {read:?}");

    // The backup is put below the running installation: it finds it by itself.
    let server = children(app.pid());
    pause(&server);
    fs::remove_dir_all(&folder).expect("it is there");
    copy(&backup, &folder);
    let restored = Instant::now();
    kill(&server);
    let healed = healed(&app, restored, "after that").await;
    let kept = send(app.anonymous(Method::GET, "/api/articles?q=kept")).await;
    assert_eq!(kept.body["items"].as_array().map(Vec::len), Some(1), "{kept:?}");
    println!("deleted stream: shown after {said:?}, able {healed:?} after its backup was there");
}

#[tokio::test]
async fn without_the_stream_nothing_starts_in_its_place_and_the_cure_is_named() {
    let mut app = App::start().await;
    assert_eq!(write(&app, "lost").await.status, 201);
    Server(&app).delete("EVENTS").await;
    assert_eq!(app.interrupt(), Some(0));
    let output = app.command(&["run"]).output().expect("newswire runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("the stream EVENTS is gone") && said.contains("from a backup"), "{said}");
}

/// What is taken away, and the status of a write meanwhile, where it is the same each time.
const PERMISSIONS: [(&str, Option<u16>); 8] = [
    // To append, to send commands, to hear them, to hear answers.
    ("\"events.article.*\"\n", Some(503)),
    ("\"commands.>\", ", None),
    ("\"commands.article.* article\"\n", Some(503)),
    ("\"_INBOX_article.>\"\n", None),
    // To read the stream.
    ("\"$JS.API.CONSUMER.MSG.NEXT.EVENTS.projection\"\n", Some(201)),
    ("\"$JS.API.CONSUMER.MSG.NEXT.EVENTS.notification\"\n", Some(201)),
    ("\"$JS.API.CONSUMER.MSG.NEXT.EVENTS.*\"\n", Some(201)),
    // To hear queries.
    ("\"queries.article.activity projection\"\n", Some(201)),
];

#[tokio::test]
async fn a_permission_that_was_lost_is_said_and_its_return_is_noticed() {
    let app = App::start().await;
    let server = Server(&app);
    let whole = fs::read_to_string(server.folder().join("permissions.conf")).expect("readable");
    for (number, (permission, status)) in PERMISSIONS.iter().enumerate() {
        assert_eq!(whole.matches(permission).count(), 1, "{permission}");
        let lost = Instant::now();
        server.permit(&whole.replace(permission, ""));
        let shown = shown(&app, lost, "NATS does not permit to").await;
        if let Some(status) = status {
            let written = write(&app, &format!("meanwhile {number}")).await;
            assert_eq!(written.status, *status, "{permission}: {written:?}");
        }
        let restored = Instant::now();
        server.permit(&whole);
        let healed = healed(&app, restored, &format!("after {number}")).await;
        let permission = permission.trim();
        println!("{permission} lost: shown after {shown:?}, able {healed:?} after its return");
    }
}
