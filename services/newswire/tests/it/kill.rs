//! Everything is killed while articles are posted; what was acknowledged must be there, nothing twice.

use reqwest::Method;
use serde_json::{Value, json};
use test_support::{eventually, http_client};

use crate::{
    app::{mails, send},
    ledger::{self, Driver},
    processes::{Installation, SERVICES},
    socket::Socket,
};

/// Acknowledged writes between two kills: enough that each hits some in flight.
const BETWEEN_KILLS: usize = 40;

async fn progress(driver: &Driver) {
    let wanted = driver.acknowledged() + BETWEEN_KILLS;
    eventually("writes to be acknowledged again", || async {
        (driver.acknowledged() >= wanted).then_some(())
    })
    .await;
}

async fn list(all: &Installation, position: u64) -> Option<Vec<Value>> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let url = format!("{}/api/articles?limit=100{cursor}", all.url());
        let request = http_client().request(Method::GET, url);
        let response = send(request.header("newswire-position", position)).await;
        if response.status != 200 {
            return None;
        }
        items.extend(response.body["items"].as_array()?.clone());
        match response.body["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Some(items),
        }
    }
}

/// Reads the live socket, resumes whenever it breaks, and ends behind the position that it is told.
fn follow(port: u16) -> (tokio::sync::watch::Sender<u64>, tokio::task::JoinHandle<Vec<u64>>) {
    let (until, told) = tokio::sync::watch::channel(u64::MAX);
    let reader = tokio::spawn(async move {
        let mut seen = Vec::new();
        let last = |seen: &Vec<u64>| seen.last().copied().unwrap_or(0);
        while last(&seen) < *told.borrow() {
            let resumed = || Socket::resume(port, last(&seen));
            let mut socket = eventually("the socket to be there", resumed).await;
            while last(&seen) < *told.borrow() {
                let Some(event) = socket.next_event().await else { break };
                seen.push(event["position"].as_u64().expect("a position"));
            }
        }
        seen
    });
    (until, reader)
}

/// Lets everything settle, then compares what the driver heard with what is there.
async fn judge(all: &Installation, driver: Driver) {
    let heard = driver.finish().await;
    let stored = all.server.events().await;
    let items = eventually("the read model to have all", || list(all, stored)).await;
    assert_eq!(items.len() as u64, stored, "an article for each event");
    let mails = eventually("a mail for each event", || async {
        let mails = mails(all.dir.path());
        (mails.len() as u64 >= stored).then_some(mails)
    })
    .await;
    ledger::judge(&heard, &items, &mails);
    assert_eq!(all.server.messages_in("DEAD_LETTERS").await, 0);
}

#[tokio::test]
async fn every_service_is_killed_under_load() {
    let mut all = Installation::start().await;
    let driver = Driver::start(&all.url(), &all.token("ann"));
    let (until, reader) = follow(all.push);
    for service in SERVICES {
        progress(&driver).await;
        all.kill(service);
        all.run(service);
    }
    progress(&driver).await;
    all.ready().await;
    // The last event is one that the reader has yet to see.
    until.send_replace(all.server.messages_in("EVENTS").await + 1);
    progress(&driver).await;
    let seen = reader.await.expect("no panic");
    assert_eq!(seen, (1..=seen.len() as u64).collect::<Vec<_>>(), "each position once, in order");
    judge(&all, driver).await;
}

#[tokio::test]
async fn the_nats_server_is_killed_under_load() {
    let mut all = Installation::start().await;
    let driver = Driver::start(&all.url(), &all.token("ann"));
    for _ in 0..2 {
        progress(&driver).await;
        all.server.kill();
        all.server.restart();
    }
    progress(&driver).await;
    judge(&all, driver).await;
}

#[tokio::test]
async fn the_article_service_and_its_database_are_killed_under_load() {
    let mut all = Installation::start_on_postgres().await;
    let driver = Driver::start(&all.url(), &all.token("ann"));
    progress(&driver).await;
    all.kill("article");
    all.run("article");
    progress(&driver).await;
    let postgres = all.postgres.as_mut().expect("it is there");
    postgres.kill().await;
    postgres.restart().await;
    progress(&driver).await;
    judge(&all, driver).await;
}

#[tokio::test]
async fn every_service_is_restarted_in_order_and_ends_orderly() {
    let mut all = Installation::start().await;
    let driver = Driver::start(&all.url(), &all.token("ann"));
    for service in SERVICES {
        progress(&driver).await;
        assert_eq!(all.terminate(service), Some(0), "{service}");
        all.run(service);
    }
    progress(&driver).await;
    all.ready().await;
    judge(&all, driver).await;
}

#[tokio::test]
async fn the_walk_is_the_same_with_several_processes() {
    let all = Installation::start().await;
    let mut socket = Socket::connect_to(all.push).await;
    socket.subscribe(&json!(["articles"]), None).await;
    let url = format!("{}/api/articles", all.url());
    let body = json!({ "title": "T", "content": "C" });
    let request = http_client().post(&url).bearer_auth(all.token("ann")).json(&body);
    let created = send(request.header("x-correlation-id", "story-2")).await;
    assert_eq!(created.status, 201, "{created:?}");
    let event = socket.event().await;
    assert_eq!((&event["position"], &event["correlation_id"]), (&json!(1), &json!("story-2")));
    let items = eventually("the article to be listed", || list(&all, 1)).await;
    assert_eq!(items[0]["id"], created.body["id"]);
    eventually("the mail", || async { mails(all.dir.path()).pop() }).await;
}

#[tokio::test]
async fn without_the_article_service_a_write_is_refused_at_once_and_reads_go_on() {
    let mut all = Installation::start().await;
    all.kill("article");
    let url = format!("{}/api/articles", all.url());
    let body = json!({ "title": "T", "content": "C" });
    let write = || http_client().post(&url).bearer_auth(all.token("ann")).json(&body);
    let response = eventually("NATS to notice", || async {
        let response = send(write()).await;
        (response.status == 503).then_some(response)
    })
    .await;
    assert_eq!(response.body["type"], "urn:newswire:problem:service-unavailable");
    assert_eq!(response.header("retry-after"), "1");
    assert_eq!(list(&all, 0).await, Some(Vec::new()));
}
