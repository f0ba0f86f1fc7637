//! `newswire import`: resumable, whatever happens in between.

use std::{collections::BTreeSet, fmt::Write as _, fs, process::Stdio};

use serde_json::{Value, json};
use test_support::eventually;

use crate::{app::App, socket::Socket};

const ARTICLES: usize = 200;

fn write_articles(app: &App) -> String {
    let mut lines = String::new();
    for number in 0..ARTICLES {
        let article = json!({ "title": format!("Article {number}"), "content": "C\n".repeat(50) });
        writeln!(lines, "{article}").expect("text");
    }
    let path = app.dir.path().join("articles.jsonl");
    fs::write(&path, lines).expect("written");
    path.display().to_string()
}

fn import(app: &App, path: &str) -> (bool, String) {
    let output =
        app.command(&["import", path, "--url", &app.url("")]).output().expect("newswire runs");
    (output.status.success(), String::from_utf8(output.stdout).expect("text"))
}

fn titles(items: &[Value]) -> BTreeSet<&str> {
    items.iter().map(|item| item["title"].as_str().expect("a title")).collect()
}

#[tokio::test]
async fn importing_twice_creates_once_and_everybody_hears_of_each() {
    let app = App::start().await;
    let mut socket = Socket::connect(&app).await;
    socket.subscribe(&json!(["articles"]), None).await;
    let path = write_articles(&app);
    let (success, summary) = import(&app, &path);
    assert!(success, "{summary}");
    assert_eq!(summary.trim(), "200 created, 0 already there, 0 refused, 0 failed");
    for position in 1..=ARTICLES {
        assert_eq!(socket.event().await["position"], position);
    }
    let (success, summary) = import(&app, &path);
    assert!(success, "{summary}");
    assert_eq!(summary.trim(), "0 created, 200 already there, 0 refused, 0 failed");
    assert_eq!(app.list(200).await.len(), ARTICLES);
    eventually("200 mails", || async { (app.mails().len() == ARTICLES).then_some(()) }).await;
}

#[tokio::test]
async fn an_import_survives_kills_of_everything_and_ends_exact() {
    let mut app = App::start().await;
    let path = write_articles(&app);
    for before in [20, 70, 130] {
        let mut importer = app
            .command(&["import", &path, "--url", &app.url(""), "--concurrency", "4"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("newswire runs");
        eventually("the import to be under way", || async {
            (app.mails().len() >= before).then_some(())
        })
        .await;
        app.kill();
        app.run().await;
        importer.kill().expect("the child is ours");
        importer.wait().expect("the child is ours");
    }
    let (success, summary) = import(&app, &path);
    assert!(success, "{summary}");
    let items = app.list(ARTICLES as u64).await;
    assert_eq!((items.len(), titles(&items).len()), (ARTICLES, ARTICLES));
    eventually("200 mails", || async { (app.mails().len() >= ARTICLES).then_some(()) }).await;
    assert_eq!(app.mails().len(), ARTICLES);
    // The next position shows how many events there are.
    let mut socket = Socket::connect(&app).await;
    socket.subscribe(&json!(["articles"]), Some(0)).await;
    for position in 1..=ARTICLES {
        assert_eq!(socket.event().await["position"], position);
    }
}

#[tokio::test]
async fn what_is_refused_is_listed_and_the_rest_is_created() {
    let app = App::start().await;
    let path = app.dir.path().join("mixed.jsonl");
    let lines =
        "{\"title\":\"A\",\"content\":\"B\"}\nnonsense\n{\"title\":\" \",\"content\":\"B\"}\n";
    fs::write(&path, lines).expect("written");
    let (success, summary) = import(&app, &path.display().to_string());
    assert!(success, "{summary}");
    assert!(summary.contains("refused: line 2: "), "{summary}");
    assert!(summary.contains("refused: line 3: title must not be only white space"), "{summary}");
    assert!(summary.ends_with("1 created, 0 already there, 2 refused, 0 failed\n"), "{summary}");
}

#[tokio::test]
async fn without_a_gateway_an_import_says_so_at_once() {
    let app = App::start().await;
    let path = write_articles(&app);
    let url = format!("http://127.0.0.1:{}", test_support::free_port());
    let output = app.command(&["import", &path, "--url", &url]).output().expect("newswire runs");
    let error = String::from_utf8(output.stderr).expect("text");
    assert!(!output.status.success() && error.contains("is Newswire running there?"), "{error}");
}
