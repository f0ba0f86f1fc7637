//! Two processes of the service on one PostgreSQL: the one that writes is stopped, and continued when the other has taken
//! over.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use contracts::article::GetArticle;
use eventsourcing::QueryReply;
use projection::{ProjectionSettings, control::Question};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::{Connection as _, PgConnection, PgPool};
use test_support::{ArticleWriter, NatsServer, PostgresServer, eventually};

use crate::service::{Admin, TestService, folder};

/// A process of the service, ended with the test.
struct Replica {
    child: Child,
    log: PathBuf,
}

impl Replica {
    fn start(nats: &NatsServer, postgres: &PostgresServer, dir: &Path, name: &str) -> Self {
        let path = dir.join(name);
        let log = fs::File::create(&path).expect("a log file");
        let child = Command::new(env!("CARGO_BIN_EXE_projection"))
            .env("NEWSWIRE__NATS__URL", nats.url())
            .env("NEWSWIRE__NATS__PASSWORD", "projection")
            .env("NEWSWIRE__DATA_DIR", dir)
            .env("NEWSWIRE__ADMIN__LISTEN", "127.0.0.1:0")
            .env("NEWSWIRE__PROJECTION__DATABASE", postgres.url())
            .stdin(Stdio::null())
            .stderr(log)
            .spawn();
        Self { child: child.expect("the service starts"), log: path }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it is ours");
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let lines = fs::read_to_string(&self.log).unwrap_or_default();
            let noise = ["projected", "an administrator asks"];
            let told = |line: &&str| !noise.iter().any(|noise| line.contains(noise));
            let lines: Vec<&str> = lines.lines().filter(told).collect();
            let last = lines[lines.len().saturating_sub(20)..].join("\n");
            eprintln!("{}: {last}", self.log.display());
        }
        // It may be dead already, which is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes articles until it is told to stop; the position of the last one.
struct Load {
    stop: Arc<AtomicBool>,
    position: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

impl Load {
    async fn start(nats: &NatsServer) -> Self {
        let writer = ArticleWriter::new(nats).await;
        let (stop, position) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (ended, last) = (stop.clone(), position.clone());
        let task = tokio::spawn(async move {
            // Fast enough to be in the middle of something, slow enough for a debug build.
            let mut pace = tokio::time::interval(Duration::from_millis(5));
            while !ended.load(Ordering::Relaxed) {
                pace.tick().await;
                let mut article = writer.create("ann", "T", "C").await;
                writer.update(&mut article, "T2", "C2").await;
                last.store(article.head.position, Ordering::Relaxed);
            }
        });
        Self { stop, position, task }
    }

    fn position(&self) -> u64 {
        self.position.load(Ordering::Relaxed)
    }

    async fn finish(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.expect("no panic");
        self.position.load(Ordering::Relaxed)
    }
}

/// Has the database note every move of the position, in the very transaction: its session, and its epoch.
async fn audit(database: &mut PgConnection) {
    for statement in [
        "CREATE TABLE public.audit (number BIGSERIAL, pid INTEGER, epoch BIGINT, position BIGINT)",
        "CREATE FUNCTION public.audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
         INSERT INTO public.audit (pid, epoch, position) VALUES (pg_backend_pid(), NEW.epoch, NEW.position);
         RETURN NEW; END $$",
        "CREATE TRIGGER audit AFTER UPDATE OF position ON newswire_projection_1.progress
         FOR EACH ROW EXECUTE FUNCTION public.audit()",
    ] {
        sqlx::query(statement).execute(&mut *database).await.expect("executed");
    }
}

/// The epoch, once the position `position` is reached.
async fn epoch_at(database: &PgPool, position: u64) -> i64 {
    let position = i64::try_from(position).expect("a small position");
    eventually("the read model to reach the position", || async {
        let row: (i64, i64) =
            sqlx::query_as("SELECT position, epoch FROM newswire_projection_1.progress")
                .fetch_one(database)
                .await
                .ok()?;
        (row.0 >= position).then_some(row.1)
    })
    .await
}

#[tokio::test]
async fn a_stopped_replica_is_replaced_and_writes_nothing_when_it_wakes() {
    let (nats, postgres) = (NatsServer::provisioned().await, PostgresServer::start().await);
    let dir = folder();
    let start = |name: &str| Replica::start(&nats, &postgres, dir.path(), name);
    let replicas = [start("one"), start("other")];
    let admin = Admin::new(&nats).await;
    let database = PgPool::connect(&postgres.url()).await.expect("connected");
    eventually("the tables to be there", || async {
        let there = "SELECT 1 FROM newswire_projection_1.progress WHERE epoch > 0";
        sqlx::query(there).fetch_optional(&database).await.ok()?.map(|_| ())
    })
    .await;
    audit(&mut database.acquire().await.expect("connected")).await;
    let load = Load::start(&nats).await;
    let mut epoch = epoch_at(&database, load.position() + 100).await;
    for round in 0..3 {
        // The one that writes is found by stopping it: nothing moves then.
        let active = active(&replicas, dir.path(), epoch);
        let noticed = notices(dir.path(), active);
        replicas[active].signal(Signal::STOP);
        let next = epoch_at(&database, load.position() + 200).await;
        assert!(next > epoch, "round {round}: another replica has taken over");
        replicas[active].signal(Signal::CONT);
        eventually("the old one to notice", || async {
            (notices(dir.path(), active) > noticed).then_some(())
        })
        .await;
        // It goes on without it.
        epoch_at(&database, load.position() + 200).await;
        epoch = next;
    }
    let last = load.finish().await;
    epoch_at(&database, last).await;
    let mixed: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM public.audit AS one JOIN public.audit AS other ON other.number > one.number
         WHERE other.epoch < one.epoch OR (other.epoch = one.epoch AND other.position <= one.position)",
    )
    .fetch_one(&database)
    .await
    .expect("counted");
    assert_eq!(mixed, 0, "an epoch that was over has written");
    // Every row is as a rebuild makes it.
    admin.rebuild(false, true).await;
    assert_eq!(admin.live(2).await.reason, None);
    admin.ask(Question::Status {}).await;
    for replica in &replicas {
        replica.signal(Signal::TERM);
    }
}

/// As after a crash of the database, which commits without waiting for its disk; and then nothing more happens.
#[tokio::test]
async fn a_database_that_lost_its_last_moments_gets_them_again_from_a_quiet_stream() {
    let (nats, postgres) = (NatsServer::provisioned().await, PostgresServer::start().await);
    let writer = ArticleWriter::new(&nats).await;
    let settings =
        ProjectionSettings { database: postgres.url().into(), ..ProjectionSettings::default() };
    let service = TestService::start_with(&nats, folder().path(), settings).await;
    let kept = writer.create("ann", "kept", "C").await.head.position;
    let last = writer.create("ann", "lost", "C").await;
    assert!(matches!(service.get(last.id, last.head.position).await, QueryReply::Answered(_)));
    let mut database = PgConnection::connect(&postgres.url()).await.expect("connected");
    for statement in [
        "UPDATE newswire_projection_1.progress SET position = position - 1",
        "DELETE FROM newswire_projection_1.articles WHERE title = 'lost'",
        "UPDATE newswire_projection_1.authors SET articles = articles - 1, created = created - 1",
        "UPDATE newswire_projection_1.activity SET created = created - 1",
    ] {
        let done = sqlx::query(statement).execute(&mut database).await.expect("executed");
        assert_eq!(done.rows_affected(), 1);
    }
    eventually("what was lost to be there again", || async {
        let get = GetArticle { id: last.id };
        matches!(service.ask(get, last.head.position).await, Ok(QueryReply::Answered(_)))
            .then_some(())
    })
    .await;
    assert!(last.head.position > kept);
    let admin = Admin::new(&nats).await;
    admin.rebuild(false, true).await;
    assert_eq!(admin.live(2).await.reason, None);
    service.stop().await;
}

const NAMES: [&str; 2] = ["one", "other"];

/// What a replica said about the read model of articles.
fn log(dir: &Path, replica: usize) -> String {
    let text = fs::read_to_string(dir.join(NAMES[replica])).expect("the log is there");
    let lines = text.lines().filter(|line| line.contains("\"read_model\":\"articles\""));
    lines.collect::<Vec<_>>().join("\n")
}

/// How often it has noticed that it does not write any more.
fn notices(dir: &Path, replica: usize) -> usize {
    let log = log(dir, replica);
    log.matches("this replica does not write the read model any more").count()
        + log.matches("the lease has ended").count()
}

/// The replica that has begun `epoch`.
fn active(replicas: &[Replica; 2], dir: &Path, epoch: i64) -> usize {
    let begun = |replica: &usize| log(dir, *replica).contains(&format!("\"epoch\":{epoch},"));
    (0..replicas.len()).find(begun).expect("one of them")
}
