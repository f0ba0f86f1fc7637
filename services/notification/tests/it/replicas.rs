//! Several notification processes: one notifies, the others wait for its turn to end.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use test_support::{
    ArticleWriter, MailSink, NatsServer, eventually, free_port, http_client, read_mail,
};

use crate::{files, folder};

/// How many messages may be on their way at once, and so come again after a crash.
const IN_FLIGHT: usize = 16;

/// A notification process.
struct Process {
    child: Child,
    admin: u16,
}

impl Process {
    fn start(server: &NatsServer, data_dir: &Path, smtp_url: &str) -> Self {
        let admin = free_port();
        let child = Command::new(env!("CARGO_BIN_EXE_notification"))
            .current_dir(data_dir)
            .env("NEWSWIRE__NATS__URL", server.url())
            .env("NEWSWIRE__NATS__PASSWORD", "notification")
            .env("NEWSWIRE__DATA_DIR", data_dir)
            .env("NEWSWIRE__NOTIFICATION__SMTP_URL", smtp_url)
            .env("NEWSWIRE__ADMIN__LISTEN", format!("127.0.0.1:{admin}"))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the service starts");
        Self { child, admin }
    }

    async fn get(&self, path: &str) -> Option<String> {
        let url = format!("http://127.0.0.1:{}/{path}", self.admin);
        http_client().get(url).send().await.ok()?.text().await.ok()
    }

    async fn is_active(&self) -> bool {
        let metrics = self.get("metrics").await.unwrap_or_default();
        metrics.lines().any(|line| line == "lease_held{lease=\"notification\"} 1")
    }

    async fn active(&self) {
        eventually("its turn", || async { self.is_active().await.then_some(()) }).await;
    }

    async fn inactive(&self) {
        let is_inactive = || async {
            let metrics = self.get("metrics").await?;
            metrics.contains("lease_held{lease=\"notification\"} 0").then_some(())
        };
        eventually("it to wait for its turn", is_inactive).await;
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("the child is ours");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be dead already, which is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two processes with one record, the active one first.
async fn two(server: &NatsServer, data_dir: &Path, smtp_url: &str) -> (Process, Process) {
    let first = Process::start(server, data_dir, smtp_url);
    let second = Process::start(server, data_dir, smtp_url);
    eventually("one of them to have its turn", || async {
        (first.is_active().await || second.is_active().await).then_some(())
    })
    .await;
    if first.is_active().await { (first, second) } else { (second, first) }
}

async fn write(server: &NatsServer, titles: std::ops::Range<usize>) {
    let writer = ArticleWriter::new(server).await;
    for number in titles {
        writer.create("ann", &number.to_string(), "C").await;
    }
}

/// How often each message arrived, by its id.
fn arrivals(folder: &Path) -> BTreeMap<String, usize> {
    let mut arrivals = BTreeMap::new();
    for mail in read_mail(folder) {
        let id = mail["headers"]["message-id"].as_str().expect("an id").to_owned();
        *arrivals.entry(id).or_default() += 1;
    }
    arrivals
}

async fn arrived(folder: &Path, messages: usize) -> BTreeMap<String, usize> {
    eventually(&format!("{messages} different messages"), || async {
        let arrivals = folder.exists().then(|| arrivals(folder))?;
        (arrivals.len() >= messages).then_some(arrivals)
    })
    .await
}

#[tokio::test]
async fn the_other_one_goes_on_when_the_active_one_is_killed() {
    let (server, folder, sink) =
        (NatsServer::provisioned().await, folder(), MailSink::start().await);
    let (mut active, other) = two(&server, folder.path(), &sink.url()).await;
    write(&server, 0..40).await;
    arrived(&sink.folder(), 5).await;
    active.child.kill().expect("the child is ours");
    active.child.wait().expect("the child is ours");
    other.active().await;
    write(&server, 40..60).await;
    let arrivals = arrived(&sink.folder(), 60).await;
    server.acknowledged("EVENTS", "notification", 60).await;
    assert_eq!(arrivals.len(), 60);
    // Only what the mail server had taken and the record had not, under the id that tells it.
    let again = arrivals.values().sum::<usize>() - arrivals.len();
    assert!(again <= IN_FLIGHT, "{again} came again");
}

#[tokio::test]
async fn files_are_written_once_whoever_is_killed() {
    let (server, folder) = (NatsServer::provisioned().await, folder());
    let (mut active, other) = two(&server, folder.path(), "").await;
    write(&server, 0..40).await;
    active.child.kill().expect("the child is ours");
    active.child.wait().expect("the child is ours");
    other.active().await;
    write(&server, 40..60).await;
    server.acknowledged("EVENTS", "notification", 60).await;
    assert_eq!(files(folder.path()).len(), 60);
    assert_eq!(server.messages_in("DEAD_LETTERS").await, 0);
}

#[tokio::test]
async fn one_that_stood_still_sends_nothing_when_it_goes_on() {
    let (server, folder, sink) =
        (NatsServer::provisioned().await, folder(), MailSink::start().await);
    let (mut active, mut other) = two(&server, folder.path(), &sink.url()).await;
    let mut written = 0;
    for _ in 0..2 {
        active.signal(Signal::STOP);
        // The server hands these to the one that stands still, and later to the other.
        write(&server, written..written + 10).await;
        written += 10;
        other.active().await;
        arrived(&sink.folder(), written).await;
        active.signal(Signal::CONT);
        active.inactive().await;
        write(&server, written..written + 10).await;
        written += 10;
        let arrivals = arrived(&sink.folder(), written).await;
        server.acknowledged("EVENTS", "notification", written as u64).await;
        assert!(arrivals.values().all(|times| *times == 1), "{arrivals:?}");
        std::mem::swap(&mut active, &mut other);
    }
    assert_eq!(sink.messages().len(), written);
}

#[tokio::test]
async fn one_with_a_record_of_its_own_says_so_and_sends_nothing() {
    let (server, sink) = (NatsServer::provisioned().await, MailSink::start().await);
    let (own, another) = (folder(), folder());
    let active = Process::start(&server, own.path(), &sink.url());
    active.active().await;
    let refused = Process::start(&server, another.path(), &sink.url());
    eventually("it to say why it is not ready", || async {
        refused.get("readyz").await?.contains("keeps another record").then_some(())
    })
    .await;
    write(&server, 0..20).await;
    let arrivals = arrived(&sink.folder(), 20).await;
    server.acknowledged("EVENTS", "notification", 20).await;
    assert!(arrivals.values().all(|times| *times == 1), "{arrivals:?}");
    assert!(active.is_active().await && !refused.is_active().await);
}
