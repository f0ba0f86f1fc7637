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
/// The pause between two equal warnings, in seconds.
const PAUSE: u64 = 30;
/// How many clients ask meanwhile.
const CLIENTS: u32 = 8;
/// How many articles there are to write about. Each is tried again and again.
const ARTICLES: usize = 100;
/// How many connections a service has to its database at most.
const POOL: u64 = 16;
/// How many lines a service may log of the fault beside warnings: it opens and closes a few things.
const OTHERS: usize = 12;

/// What every service has logged.
struct Logs<'a> {
    all: &'a Installation,
    /// How much there was before, and when that was.
    begin: BTreeMap<&'static str, usize>,
    since: Instant,
}

/// A line: its level, and what it says, without the numbers of this very time.
type Line = (String, String);

impl<'a> Logs<'a> {
    fn from_here(all: &'a Installation) -> Self {
        let begin = SERVICES.into_iter().map(|service| (service, text(all, service).len()));
        Self { all, begin: begin.collect(), since: Instant::now() }
    }

    /// How often a warning may have been given by now: on a slow machine everything lasts longer.
    fn most(&self) -> u64 {
        1 + self.since.elapsed().as_secs() / PAUSE
    }

    /// The lines of `service` since then, but for those of requests that were answered.
    fn lines(&self, service: &str) -> Vec<Line> {
        let text = text(self.all, service);
        let lines = text[self.begin[service]..].lines().map(|line| {
            let line: Value = serde_json::from_str(line).expect("JSON");
            let field = |name: &str| line[name].as_str().expect("a text").to_owned();
            // Each part of a process says for itself how it is.
            let part = line["span"]["read_model"].as_str().or(line["consumer"].as_str());
            let (part, said) = (part.unwrap_or_default(), field("message"));
            (field("level"), format!("{part} {}: {said}", field("target")))
        });
        lines.filter(|(_, said)| !said.ends_with(": request served")).collect()
    }

    /// Asserts that each service gave each of its warnings once; says how many there were.
    fn assert_quiet(&self) -> usize {
        let mut warnings = 0;
        for service in SERVICES {
            let mut counts: BTreeMap<String, u64> = BTreeMap::new();
            for (level, said) in self.lines(service) {
                if matches!(level.as_str(), "WARN" | "ERROR") {
                    *counts.entry(said).or_default() += 1;
                }
            }
            let floods = |(said, count): (&String, &u64)| {
                // The pool tells of each connection that it finds broken.
                *count > if said.contains(" sqlx_core::pool") { POOL } else { self.most() }
            };
            assert!(!counts.iter().any(floods), "{service} floods: {counts:#?}");
            warnings += counts.len();
        }
        warnings
    }

    /// Asserts that nobody has much else to say while nothing works.
    fn assert_silent(&self) {
        for service in SERVICES {
            let mut lines = self.lines(service);
            lines.retain(|(level, _)| !matches!(level.as_str(), "WARN" | "ERROR"));
            assert!(lines.len() <= OTHERS, "{service} floods: {lines:#?}");
        }
    }

    /// Asserts that `service` said `message`, and did not repeat it.
    fn assert_said(&self, service: &str, message: &str) {
        let lines = self.lines(service);
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for (_, said) in lines.iter().filter(|(_, said)| said.ends_with(message)) {
            *counts.entry(said).or_default() += 1;
        }
        let most = self.most();
        let is_said = !counts.is_empty() && counts.values().all(|count| *count <= most);
        assert!(is_said, "{service}: {counts:?} × {message}: {lines:#?}");
    }
}

/// The whole lines in the log of `service`: the last may be just being written.
fn text(all: &Installation, service: &str) -> String {
    let mut text =
        fs::read_to_string(all.dir.path().join(format!("{service}.log"))).expect("a log");
    text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
    text
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
    // The logs are marked first: a service may tell of the end before the next line runs.
    let Logs { begin, since, .. } = Logs::from_here(&all);
    all.server.kill();
    let logs = Logs { all: &all, begin, since };
    let failed = ask(&all).await;
    assert!(failed > 100, "only {failed} requests failed");
    logs.assert_silent();
    let warnings = logs.assert_quiet();
    assert!(warnings >= SERVICES.len(), "only {warnings} warnings");
    let Logs { begin, since, .. } = logs;
    all.server.restart();
    well_again(&all).await;
    let logs = Logs { all: &all, begin, since };
    logs.assert_quiet();
    for service in SERVICES {
        logs.assert_said(service, ": NATS connected");
    }
    for said in [": the article service does not answer", ": the article service answers again"] {
        logs.assert_said("gateway", said);
    }
}

#[tokio::test]
async fn without_postgres_each_service_says_so_once() {
    let mut all = Installation::start_on_postgres().await;
    let Logs { begin, since, .. } = Logs::from_here(&all);
    all.postgres.as_mut().expect("it has one").kill().await;
    let logs = Logs { all: &all, begin, since };
    let failed = ask(&all).await;
    assert!(failed > 10, "only {failed} requests failed");
    logs.assert_silent();
    assert!(logs.assert_quiet() >= 3, "article, projection and gateway are to warn");
    let Logs { begin, since, .. } = logs;
    all.postgres.as_mut().expect("it has one").restart().await;
    well_again(&all).await;
    let logs = Logs { all: &all, begin, since };
    logs.assert_quiet();
    logs.assert_said("projection", ": reading the catalog of generations failed");
    logs.assert_said("projection", ": the catalog of generations is read again");
    logs.assert_said("article", ": commands are executed again");
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
    logs.assert_said("notification", ": event is tried again");
    let warnings: Vec<_> =
        logs.lines("notification").into_iter().filter(|(level, _)| level != "INFO").collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let sink = test_support::MailSink::start_on(port).await;
    eventually("every mail", || async { (sink.messages().len() == ARTICLES).then_some(()) }).await;
    logs.assert_said("notification", ": events are handled again");
}
