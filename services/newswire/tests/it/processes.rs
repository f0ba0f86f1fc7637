//! Every service as its own process, against a nats-server that they share.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;
use test_support::{NatsServer, PostgresServer, eventually, free_port, http_client};

/// The services and the order in which they start.
pub const SERVICES: [&str; 6] =
    ["article", "comment", "projection", "notification", "gateway", "push"];

/// An installation of several processes.
pub struct Installation {
    pub server: NatsServer,
    pub postgres: Option<PostgresServer>,
    /// Whether the articles are in it as well.
    articles_too: bool,
    pub dir: TempDir,
    pub http: u16,
    pub push: u16,
    children: BTreeMap<&'static str, Child>,
}

impl Installation {
    /// Provisions NATS, starts every service and waits until all are ready.
    pub async fn start() -> Self {
        Self::start_with(None, false).await
    }

    /// The same with the articles in a database.
    pub async fn start_on_postgres() -> Self {
        Self::start_with(Some(PostgresServer::start().await), true).await
    }

    /// With the read model in a database, and the articles in the stream.
    pub async fn start_with_projection_on_postgres() -> Self {
        Self::start_with(Some(PostgresServer::start().await), false).await
    }

    async fn start_with(postgres: Option<PostgresServer>, articles_too: bool) -> Self {
        let server = NatsServer::start().await;
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (http, push) = (free_port(), free_port());
        let children = BTreeMap::new();
        let mut all = Self { server, postgres, articles_too, dir, http, push, children };
        let provisioned = all.command("newswire", "admin").arg("provision").status();
        assert!(provisioned.expect("newswire runs").success());
        for service in SERVICES {
            all.run(service);
        }
        all.ready().await;
        all
    }

    /// Starts a service (again).
    pub fn run(&mut self, service: &'static str) {
        self.run_with(service, &[]);
    }

    /// The same with settings of its own.
    pub fn run_with(&mut self, service: &'static str, settings: &[(&str, &str)]) {
        let mut command = self.command(service, service);
        command.envs(settings.iter().copied());
        let log = self.dir.path().join(format!("{service}.log"));
        let log = fs::OpenOptions::new().create(true).append(true).open(log).expect("a log file");
        let child = command.stderr(log).spawn().expect("the service starts");
        self.children.insert(service, child);
    }

    /// Waits until every service can serve.
    pub async fn ready(&self) {
        let client = http_client();
        for port in [self.http, self.push] {
            eventually("the services to be ready", || async {
                let url = format!("http://127.0.0.1:{port}/readyz");
                (client.get(url).send().await.ok()?.status() == 200).then_some(())
            })
            .await;
        }
        eventually("the projection to answer", || async {
            let url = format!("http://127.0.0.1:{}/api/articles", self.http);
            (client.get(url).send().await.ok()?.status() == 200).then_some(())
        })
        .await;
    }

    /// A program of the workspace, as a NATS user.
    pub fn command(&self, program: &str, user: &str) -> Command {
        let http = if program == "push" { self.push } else { self.http };
        let mut command = Command::new(binary(program));
        command
            .current_dir(self.dir.path())
            .env("NEWSWIRE__NATS__URL", self.server.url())
            .env("NEWSWIRE__NATS__USER", user)
            .env("NEWSWIRE__NATS__PASSWORD", user)
            .env("NEWSWIRE__AUTH__KEY", "0123456789abcdef0123456789abcdef")
            .env("NEWSWIRE__FINGERPRINT__KEY", "fedcba9876543210fedcba9876543210")
            .env("NEWSWIRE__DATA_DIR", self.dir.path())
            .env("NEWSWIRE__HTTP__LISTEN", format!("127.0.0.1:{http}"))
            .env("NEWSWIRE__ADMIN__LISTEN", "127.0.0.1:0")
            .env("NEWSWIRE__LOG__FORMAT", "json")
            .stdin(Stdio::null());
        if let Some(postgres) = &self.postgres {
            command.env("NEWSWIRE__PROJECTION__DATABASE", postgres.url());
        }
        if let Some(postgres) = self.postgres.as_ref().filter(|_| self.articles_too) {
            command
                .env("NEWSWIRE__ARTICLE__STORE", "postgres")
                .env("NEWSWIRE__ARTICLE__DATABASE", postgres.url())
                .env("NEWSWIRE__COMMENT__STORE", "postgres")
                .env("NEWSWIRE__COMMENT__DATABASE", postgres.url())
                // What was in hand when the service was killed has no answer, and the test waits for that.
                .env("NEWSWIRE__GATEWAY__COMMAND_TIMEOUT_MS", "2000");
        }
        command
    }

    /// A token for `user`.
    pub fn token(&self, user: &str) -> String {
        self.mint(&["--user", user])
    }

    /// A token, as the arguments of the command say.
    pub fn mint(&self, arguments: &[&str]) -> String {
        let output = self.command("newswire", "admin").arg("token").args(arguments).output();
        let token = String::from_utf8(output.expect("newswire runs").stdout).expect("text");
        token.trim().to_owned()
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.http)
    }

    /// Ends a service as a crash does.
    pub fn kill(&mut self, service: &str) {
        let mut child = self.children.remove(service).expect("it runs");
        child.kill().expect("the child is ours");
        child.wait().expect("the child is ours");
    }

    /// Ends a service as an orchestrator does; tells its exit code.
    pub fn terminate(&mut self, service: &str) -> Option<i32> {
        let mut child = self.children.remove(service).expect("it runs");
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("ours");
        child.wait().expect("the child is ours").code()
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.tell_last_words();
        }
        for child in self.children.values_mut() {
            // It may be dead already, which is fine.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Installation {
    /// What each service logged last, for whoever looks into a test that failed.
    fn tell_last_words(&self) {
        for service in SERVICES {
            let log = fs::read_to_string(self.dir.path().join(format!("{service}.log")));
            let lines: Vec<String> = log.unwrap_or_default().lines().map(str::to_owned).collect();
            for line in lines.iter().rev().take(5).rev() {
                eprintln!("{service}: {line}");
            }
        }
    }
}

/// A binary of the workspace, beside this test's own.
fn binary(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_BIN_EXE_newswire")).with_file_name(name);
    assert!(path.exists(), "{} is not built: `cargo build --workspace`", path.display());
    path
}
