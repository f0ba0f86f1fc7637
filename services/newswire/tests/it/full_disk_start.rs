//! A start while nothing fits on the disk: what is there is read, writes are refused with the reason, and room heals it.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use test_support::{SmallDisk, eventually};

use crate::app::{App, Response, send};

/// The size of the disk in megabytes.
const DISK: u32 = 100;

/// How long it may take after there is room until everything works.
const HEALED: Duration = Duration::from_secs(10);

/// How it ended before.
#[derive(Debug, Clone, Copy)]
enum End {
    InOrder,
    Killed,
}

async fn post(app: &App, title: &str) -> Response {
    let body = json!({ "title": title, "content": "C" });
    send(app.request(Method::POST, "/api/articles").json(&body)).await
}

/// The titles that a list of all articles has; none while it cannot be had.
async fn titles(app: &App) -> Option<Vec<String>> {
    let list = app.request(Method::GET, "/api/articles").send().await.ok()?;
    let is_read = list.status() == 200;
    let list: serde_json::Value = list.json().await.ok()?;
    let items = list["items"].as_array()?.iter();
    is_read.then(|| items.map(|item| item["title"].as_str().expect("a title").to_owned()).collect())
}

/// Why it is not ready, once it says so.
async fn problem(app: &App) -> Option<String> {
    let ready = app.anonymous(Method::GET, "/readyz").send().await.ok()?;
    if ready.status() == 200 {
        return None;
    }
    ready.text().await.ok()
}

async fn starts_on_a_full_disk(part: &str, end: End) {
    let disk = SmallDisk::mount(DISK);
    let mut app = App::start_with_data_in(disk.path(), part).await;
    let first = post(&app, "before").await;
    assert_eq!(first.status, 201, "{first:?}");
    app.list(first.header("newswire-position").parse().expect("a number")).await;
    match end {
        End::InOrder => assert_eq!(app.interrupt(), Some(0)),
        End::Killed => app.kill(),
    }
    app.data_is_free().await;
    disk.fill();
    let begin = Instant::now();
    app.begin();
    let read = eventually("a read on a full disk", || titles(&app)).await;
    assert_eq!(read, ["before"]);
    let served = begin.elapsed();
    // The first few may still fit into what the server has on disk already.
    let refused = eventually("a write to be refused", || async {
        let refused = post(&app, "meanwhile").await;
        match refused.status {
            503 => Some(refused),
            201 | 504 => None,
            other => panic!("{other}: {refused:?}"),
        }
    })
    .await;
    let reason = eventually("not to be ready, with the reason", || problem(&app)).await;
    assert_eq!(refused.body["type"], "urn:newswire:problem:unavailable", "{refused:?}");
    let detail = "the event store takes no writes now; nothing was changed";
    assert_eq!(refused.body["detail"], detail, "{refused:?}");
    assert!(reason.contains("no space left on device"), "{reason}");
    disk.empty();
    let room = Instant::now();
    let position = eventually("to write and to be ready", || async {
        let written = post(&app, "after").await;
        let is_able = written.status == 201 && problem(&app).await.is_none();
        is_able.then(|| written.header("newswire-position").parse().expect("a number"))
    })
    .await;
    let healed = room.elapsed();
    println!("{part} {end:?}: reads served {served:?} after the start; able {healed:?} after room");
    assert!(healed < HEALED, "able {healed:?} after there was room");
    let articles = app.list(position).await;
    let count = |title| articles.iter().filter(|article| article["title"] == title).count();
    assert_eq!(count("before"), 1, "{articles:?}");
}

#[tokio::test]
async fn all_data_on_it_after_an_end_in_order() {
    starts_on_a_full_disk("", End::InOrder).await;
}

#[tokio::test]
async fn all_data_on_it_after_a_crash() {
    starts_on_a_full_disk("", End::Killed).await;
}

#[tokio::test]
async fn the_stream_alone_on_it() {
    starts_on_a_full_disk("nats", End::InOrder).await;
}
