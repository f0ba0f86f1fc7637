//! A fault that lasts is told once, not once a request, and so is its end.

use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use serde_json::{Value, json};
use test_support::{eventually, free_port, http_client};

use crate::{
    app::send,
    processes::{Installation, SERVICES},
};

/// How long the fault lasts: much longer than the pauses between attempts, and shorter than that between two warnings.
const LASTS: Duration = Duration::from_secs(8);
/// How many clients ask meanwhile.
const CLIENTS: u32 = 8;
/// How many articles there are to write about. Each is tried again and again.
const ARTICLES: usize = 100;
/// How many lines a service may log of the fault beside warnings: it opens and closes a few things.
const OTHERS: usize = 12;

/// What every service has logged.
struct Logs<'a> {
    all: &'a Installation,
    /// How much there was before.
    begin: BTreeMap<&'static str, usize>,
}

/// A line: its level, and what it says, without the numbers of this very time.
type Line = (String, String);

impl<'a> Logs<'a> {
    fn from_here(all: &'a Installation) -> Self {
        let begin = SERVICES.into_iter().map(|service| (service, text(all, service).len()));
        Self { all, begin: begin.collect() }
    }

    /// The lines of `service` since then, but for those of requests that were answered.
    fn lines(&self, service: &str) -> Vec<Line> {
        let text = text(self.all, service);
        let lines = text[self.begin[service]..].lines().map(|line| {
            let line: Value = serde_json::from_str(line).expect("JSON");
            let field = |name: &str| line[name].as_str().expect("a text").to_owned();
            (field("level"), format!("{}: {}", field("target"), field("message")))
        });
        lines.filter(|(_, said)| !said.ends_with(": request served")).collect()
    }

    /// Asserts that each warning was told once, by whatever service; says how many there were.
    fn assert_quiet(&self) -> usize {
        let mut warnings = 0;
        for service in SERVICES {
            let mut counts: BTreeMap<Line, usize> = BTreeMap::new();
            for line in self.lines(service) {
                *counts.entry(line).or_default() += 1;
            }
            let is_warning = |line: &Line| matches!(line.0.as_str(), "WARN" | "ERROR");
            let (told, others): (Vec<_>, Vec<_>) =
                counts.iter().partition(|(line, _)| is_warning(line));
            assert!(told.iter().all(|(_, count)| **count == 1), "{service} floods: {counts:#?}");
            let others: usize = others.iter().map(|(_, count)| **count).sum();
            assert!(others <= OTHERS, "{service} floods: {counts:#?}");
            warnings += told.len();
        }
        warnings
    }

    /// How often `service` said `message`.
    fn count(&self, service: &str, message: &str) -> usize {
        self.lines(service).iter().filter(|(_, said)| said.ends_with(message)).count()
    }
}

fn text(all: &Installation, service: &str) -> String {
    fs::read_to_string(all.dir.path().join(format!("{service}.log"))).expect("a log")
}

/// Writes and reads while the fault lasts; says how many requests failed.
async fn ask(all: &Installation) -> usize {
    let (client, token, end) = (http_client(), all.token("ann"), Instant::now() + LASTS);
    let url = format!("{}/api/articles", all.url());
    let past = format!("{url}/0190b3a0-6b2a-7c3e-9d57-2a1f0c6b7e42/history");
    let clients = (0..CLIENTS).map(|_| async {
        let mut failed = 0;
        while Instant::now() < end {
            let article = json!({ "title": "T", "content": "C" });
            let write = || client.post(&url).bearer_auth(&token).json(&article);
            for request in [
                write(),
                write().header("prefer", "respond-async"),
                client.get(&url),
                client.get(&past),
            ] {
                failed += usize::from(send(request).await.status >= 500);
            }
        }
        failed
    });
    join_all(clients).await.into_iter().sum()
}

/// Waits until a write and a read that names its position are answered.
async fn well_again(all: &Installation) {
    let url = format!("{}/api/articles", all.url());
    let token = all.token("ann");
    eventually("everything to work again", || async {
        let article = json!({ "title": "T", "content": "C" });
        let written = send(http_client().post(&url).bearer_auth(&token).json(&article)).await;
        let position = written.headers.get("newswire-position")?;
        let read = send(http_client().get(&url).header("newswire-position", position)).await;
        ((written.status, read.status) == (201, 200)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn without_nats_each_service_says_so_once() {
    let mut all = Installation::start().await;
    all.server.kill();
    let logs = Logs::from_here(&all);
    let failed = ask(&all).await;
    assert!(failed > 100, "only {failed} requests failed");
    let warnings = logs.assert_quiet();
    assert!(warnings >= SERVICES.len(), "only {warnings} warnings");
    let begin = logs.begin;
    all.server.restart();
    well_again(&all).await;
    let logs = Logs { all: &all, begin };
    logs.assert_quiet();
    for service in SERVICES {
        assert_eq!(logs.count(service, ": NATS connected"), 1, "{service}");
    }
    for source in ["the article service", "the read model"] {
        assert_eq!(logs.count("gateway", &format!(": {source} does not answer")), 1, "{source}");
        assert_eq!(logs.count("gateway", &format!(": {source} answers again")), 1, "{source}");
    }
}

#[tokio::test]
async fn without_postgres_each_service_says_so_once() {
    let mut all = Installation::start_on_postgres().await;
    all.postgres.as_mut().expect("it has one").kill().await;
    let logs = Logs::from_here(&all);
    let failed = ask(&all).await;
    assert!(failed > 10, "only {failed} requests failed");
    assert!(logs.assert_quiet() >= 3, "article, projection and gateway are to warn");
    let begin = logs.begin;
    all.postgres.as_mut().expect("it has one").restart().await;
    well_again(&all).await;
    let logs = Logs { all: &all, begin };
    logs.assert_quiet();
    assert_eq!(logs.count("projection", ": reading the catalog of generations failed"), 1);
    assert_eq!(logs.count("projection", ": the catalog of generations is read again"), 1);
    assert_eq!(logs.count("article", ": commands are executed again"), 1);
}

#[tokio::test]
async fn without_a_mail_server_notification_says_so_once() {
    let mut all = Installation::start().await;
    all.kill("notification");
    let port = free_port();
    let server = format!("smtp://127.0.0.1:{port}");
    all.run_with("notification", &[("NEWSWIRE__NOTIFICATION__SMTP_URL", &server)]);
    all.ready().await;
    let logs = Logs::from_here(&all);
    let (url, token) = (format!("{}/api/articles", all.url()), all.token("ann"));
    let article = json!({ "title": "T", "content": "C" });
    let begin = Instant::now();
    for _ in 0..ARTICLES {
        let written = http_client().post(&url).bearer_auth(&token).json(&article);
        assert_eq!(send(written).await.status, 201, "only mail is concerned");
    }
    while begin.elapsed() < LASTS {
        assert_eq!(send(http_client().get(&url)).await.status, 200, "only mail is concerned");
    }
    assert_eq!(logs.count("notification", ": event is tried again"), 1);
    let warnings: Vec<_> =
        logs.lines("notification").into_iter().filter(|(level, _)| level != "INFO").collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let sink = test_support::MailSink::start_on(port).await;
    eventually("every mail", || async {
        (sink.messages().len() == ARTICLES).then_some(())
    })
    .await;
    assert_eq!(logs.count("notification", ": events are handled again"), 1);
}
