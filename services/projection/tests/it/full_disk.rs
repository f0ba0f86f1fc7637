//! The service in a process of its own, on a disk that takes nothing more for a while.
//!
//! `make test` does it twice, `make chaos` more often: `NEWSWIRE_DISK_ROUNDS` chooses how often.

use std::{
    fs,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use contracts::article::GetArticle;
use eventsourcing::{QueryEnvelope, QueryReply};
use messaging::RequestClient;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use test_support::{ArticleWriter, NatsServer, SmallDisk, Written, eventually, free_port};

use crate::service::folder;

/// Becomes the service; a file that would be too long is an error for it, not the end of the process.
const START: &str = "trap '' XFSZ && exec \"$1\"";

/// What keeps the service from writing.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// Nothing more fits on the disk: SQLite calls it full.
    Full,
    /// The system refuses to write: SQLite calls it an I/O error.
    Refused,
}

struct Service {
    child: Child,
    disk: SmallDisk,
    log: PathBuf,
    ready: String,
}

impl Service {
    fn start(nats: &NatsServer, dir: &Path) -> Self {
        let (disk, admin) = (SmallDisk::mount(6), format!("127.0.0.1:{}", free_port()));
        let log = dir.join("log");
        let child = Command::new("sh")
            .arg0("sh")
            .args(["-c", START, "sh", env!("CARGO_BIN_EXE_projection")])
            .env("NEWSWIRE__NATS__URL", nats.url())
            .env("NEWSWIRE__NATS__PASSWORD", "projection")
            .env("NEWSWIRE__DATA_DIR", disk.path())
            .env("NEWSWIRE__ADMIN__LISTEN", &admin)
            .stdin(Stdio::null())
            .stderr(fs::File::create(&log).expect("a log file"))
            .spawn()
            .expect("the service starts");
        Self { child, disk, log, ready: format!("http://{admin}/readyz") }
    }

    /// Begins `fault`, or ends it.
    fn set(&self, fault: Fault, broken: bool) {
        match fault {
            Fault::Full if broken => self.disk.fill(),
            Fault::Full => self.disk.empty(),
            Fault::Refused => {
                let limit = Rlimit { current: broken.then_some(4096), maximum: None };
                prlimit(Some(Pid::from_child(&self.child)), Resource::Fsize, limit).expect("set");
            }
        }
    }

    /// Whether it is ready; if it is not, why.
    async fn problem(&self) -> Option<Option<String>> {
        let answer = test_support::http_client().get(&self.ready).send().await.ok()?;
        let is_ready = answer.status().is_success();
        Some(if is_ready { None } else { Some(answer.text().await.ok()?) })
    }

    async fn until_ready(&self) {
        eventually("the service to be ready", || async {
            self.problem().await.filter(Option::is_none).map(|_| ())
        })
        .await;
    }

    /// Has something to write until it says that it cannot, and why.
    async fn until_unable(&self, writer: &ArticleWriter, fault: Fault) -> Written {
        let content = "words ".repeat(1500);
        let reason = match fault {
            Fault::Full => "database or disk is full",
            Fault::Refused => "disk I/O error",
        };
        eventually("the service to say that it cannot commit", || async {
            let last = writer.create("ann", "meanwhile", &content).await;
            let problem = self.problem().await??;
            (problem.contains("projection: commits") && problem.contains(reason)).then_some(last)
        })
        .await
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<&str> = log.lines().filter(|line| !line.contains("INFO")).collect();
            eprintln!("{}", lines[lines.len().saturating_sub(10)..].join("\n"));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn read(client: &RequestClient, article: &Written) {
    eventually("the article to be there", || async {
        let query = QueryEnvelope::new(GetArticle { id: article.id });
        let query = QueryEnvelope { min_position: Some(article.head.position), ..query };
        matches!(client.ask(&query).await, Ok(QueryReply::Answered(_))).then_some(())
    })
    .await;
}

fn rounds() -> u32 {
    std::env::var("NEWSWIRE_DISK_ROUNDS").map_or(2, |rounds| rounds.parse().expect("a number"))
}

async fn the_read_model_heals(fault: Fault) {
    let (nats, dir) = (NatsServer::provisioned().await, folder());
    let writer = ArticleWriter::new(&nats).await;
    let service = Service::start(&nats, dir.path());
    let client = RequestClient::new(nats.connect("gateway").await, Duration::from_secs(5));
    service.until_ready().await;
    read(&client, &writer.create("ann", "before", "C").await).await;
    for _ in 0..rounds() {
        service.set(fault, true);
        let last = service.until_unable(&writer, fault).await;
        service.set(fault, false);
        read(&client, &last).await;
        service.until_ready().await;
    }
}

#[tokio::test]
async fn the_read_model_heals_after_a_full_disk() {
    the_read_model_heals(Fault::Full).await;
}

#[tokio::test]
async fn the_read_model_heals_after_writes_that_failed() {
    the_read_model_heals(Fault::Refused).await;
}
