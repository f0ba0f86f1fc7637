//! Start and end of the all-in-one.

use std::{io::Read as _, process::Stdio};

use reqwest::Method;
use serde_json::json;
use test_support::eventually;

use crate::{
    app::{App, send},
    children::{children, kill, runs},
};

#[tokio::test]
async fn ctrl_c_drains_ends_everything_and_keeps_the_data() {
    let mut app = App::start().await;
    let body = json!({ "title": "T", "content": "C" });
    let created = send(app.request(Method::POST, "/api/articles").json(&body)).await;
    assert_eq!(created.status, 201);
    let nats = children(app.pid());
    assert!(!nats.is_empty(), "the nats-server is a child");
    assert_eq!(app.interrupt(), Some(0), "{}", app.log());
    assert!(!nats.iter().any(|pid| runs(*pid)), "the nats-server was left behind");
    app.run().await;
    assert_eq!(app.list(1).await.len(), 1);
}

#[tokio::test]
async fn a_killed_newswire_leaves_no_nats_server_behind() {
    let mut app = App::start().await;
    let nats = children(app.pid());
    assert!(!nats.is_empty(), "the nats-server is a child");
    app.kill();
    eventually("the nats-server to end", || async {
        (!nats.iter().any(|pid| runs(*pid))).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_killed_nats_server_is_started_again_and_one_killed_all_the_time_ends_newswire_with_a_reason()
 {
    let mut app = App::start().await;
    let body = json!({ "title": "T", "content": "C" });
    let created = send(app.request(Method::POST, "/api/articles").json(&body)).await;
    assert_eq!(created.status, 201);
    let first = children(app.pid());
    kill(&first);
    eventually("newswire to write on another nats-server", || async {
        let created = send(app.request(Method::POST, "/api/articles").json(&body)).await;
        (created.status == 201 && children(app.pid()) != first).then_some(())
    })
    .await;
    assert!(app.log().contains("nats-server has failed and is started again"), "{}", app.log());
    eventually("newswire to end", || async {
        let pid = app.pid();
        kill(&children(pid));
        (!runs(pid)).then_some(())
    })
    .await;
    assert_eq!(app.wait(), Some(1));
    assert!(app.log().contains("nats-server failed again after"), "{}", app.log());
    app.run().await;
}

#[tokio::test]
async fn a_wrong_setting_is_named_with_what_was_expected() {
    let app = App::start().await;
    for (variable, value, expected) in [
        ("NEWSWIRE__HTTP__MAX_CONNECTIONS", "many", "http.max_connections"),
        ("NEWSWIRE__HTTP__MAX_CONNECTIONS", "0", "http.max_connections"),
        ("NEWSWIRE__HTTP__LISTEN", "nowhere", "http.listen"),
        ("NEWSWIRE__NATS__REPLICAS", "2", "nats.replicas"),
        ("NEWSWIRE__EMBEDDED_NATS__SYNC", "sometimes", "embedded_nats.sync"),
        ("NEWSWIRE__ARTICLE__STORE", "mysql", "article.store"),
        ("NEWSWIRE__ARTICLE__STORE", "postgres", "article.database"),
        ("NEWSWIRE__ARTICLE__MAX_CONTENT_CHARS", "0", "article.max_content_chars"),
        ("NEWSWIRE__ARTICLE__MAX_CONTENT_CHARS", "80001", "article.max_content_chars"),
        ("NEWSWIRE__PROJECTION__DATABASE", "mysql:x", "projection.database"),
        ("NEWSWIRE__NOTIFICATION__MAIL_DOMAIN", "a b", "notification.mail_domain"),
        ("NEWSWIRE__HTPP__LISTEN", "127.0.0.1:1", "htpp.listen"),
        ("NEWSWIRE__LOG__FORMAT", "xml", "log.format"),
        ("NEWSWIRE__LOG__LEVEL", "warning", "log.level"),
        ("NEWSWIRE__LOG__LEVEL", "loud", "log.level"),
        ("NEWSWIRE__LOG__LEVEL", "push=loud", "log.level"),
        ("NEWSWIRE__NOTIFICATION__FROM", "nobody", "notification.from"),
        ("NEWSWIRE__AUTH__KEY", "short", "auth.key"),
    ] {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut command = app.command(&["run"]);
        let nats = format!("127.0.0.1:{}", test_support::free_port());
        command.env("NEWSWIRE__EMBEDDED_NATS__LISTEN", nats);
        command.env("NEWSWIRE__HTTP__LISTEN", "127.0.0.1:0");
        command.env(variable, value).current_dir(dir.path()).stderr(Stdio::piped());
        let mut child = command.stdout(Stdio::null()).spawn().expect("newswire runs");
        let what = format!("{variable}={value} to be refused");
        let status =
            eventually(&what, || std::future::ready(child.try_wait().expect("ours"))).await;
        let mut error = String::new();
        let mut stderr = child.stderr.take().expect("it is piped");
        stderr.read_to_string(&mut error).expect("text");
        assert!(!status.success() && error.contains(expected), "{variable}: {error}");
    }
}
