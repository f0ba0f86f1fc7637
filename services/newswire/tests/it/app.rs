use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use tempfile::TempDir;
use test_support::{
    CLUSTER_PASSWORD, NatsCluster, PostgresServer, eventually, free_port, http_client,
    nats_server_binary,
};

/// The all-in-one as a process, on free ports, with a data folder of its own.
pub struct App {
    pub dir: TempDir,
    pub http: u16,
    pub nats: u16,
    child: Option<Child>,
    postgres: Option<PostgresServer>,
    /// Whether the articles are in it as well.
    articles_too: bool,
    client: reqwest::Client,
    token: String,
}

/// A response that was read.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Response {
    /// A header as text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }
}

impl App {
    /// Starts it and waits until it is ready.
    pub async fn start() -> Self {
        Self::start_with(folder(), None, false).await
    }

    /// Starts it with its articles in a database.
    pub async fn start_on_postgres() -> Self {
        Self::start_with(folder(), Some(PostgresServer::start().await), true).await
    }

    /// With the read model in a database, and the articles in the stream.
    pub async fn start_with_projection_on_postgres() -> Self {
        Self::start_with(folder(), Some(PostgresServer::start().await), false).await
    }

    /// Starts it with what it keeps under `data/part` in `place`; an empty `part` is all of it.
    pub async fn start_with_data_in(place: &Path, part: &str) -> Self {
        let dir = folder();
        let link = dir.path().join("data").join(part);
        let link = link.components().collect::<PathBuf>();
        fs::create_dir_all(link.parent().expect("a folder")).expect("a folder");
        std::os::unix::fs::symlink(place, link).expect("a link");
        Self::start_with(dir, None, false).await
    }

    /// Starts it with what `fill` puts into its folder; articles and read model are in `postgres` if there is one.
    pub async fn start_on_data(fill: impl FnOnce(&Path), postgres: Option<PostgresServer>) -> Self {
        let (dir, is_on_postgres) = (folder(), postgres.is_some());
        fill(dir.path());
        Self::start_with(dir, postgres, is_on_postgres).await
    }

    /// Starts it on three nats-servers, each of which keeps each stream.
    pub async fn start_on(cluster: &NatsCluster) -> Self {
        let dir = folder();
        let settings = format!(
            "[nats]\nurl = \"{}\"\npassword = \"{CLUSTER_PASSWORD}\"\nreplicas = 3\n",
            cluster.url()
        );
        fs::write(dir.path().join("newswire.toml"), settings).expect("the settings are written");
        Self::start_with(dir, None, false).await
    }

    async fn start_with(
        dir: TempDir,
        postgres: Option<PostgresServer>,
        articles_too: bool,
    ) -> Self {
        let (http, nats) = (free_port(), free_port());
        let (client, token) = (http_client(), String::new());
        let mut app = Self { dir, http, nats, child: None, postgres, articles_too, client, token };
        app.run().await;
        app.token = app.mint(&["--user", "ann"]);
        app
    }

    /// Starts it (again), with the data that it has, and waits until it is ready.
    pub async fn run(&mut self) {
        self.begin();
        eventually("newswire to be ready", || async {
            let ready = self.client.get(self.url("/readyz")).send().await.ok()?;
            let articles = self.client.get(self.url("/api/articles")).send().await.ok()?;
            (ready.status() == 200 && articles.status() == 200).then_some(())
        })
        .await;
    }

    /// Starts it without waiting for anything.
    pub fn begin(&mut self) {
        let log = |name: &str| {
            let path = self.dir.path().join(name);
            fs::OpenOptions::new().create(true).append(true).open(path).expect("a log file")
        };
        let child = self.command(&["run"]).stdout(log("out")).stderr(log("err")).spawn();
        self.child = Some(child.expect("newswire starts"));
    }

    /// A `newswire` command in this installation.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_newswire"));
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .env(
                "NEWSWIRE__EMBEDDED_NATS__BINARY",
                nats_server_binary().canonicalize().unwrap_or_else(|_| nats_server_binary()),
            )
            .env("NEWSWIRE__EMBEDDED_NATS__LISTEN", format!("127.0.0.1:{}", self.nats))
            .env("NEWSWIRE__HTTP__LISTEN", format!("127.0.0.1:{}", self.http))
            .env("NEWSWIRE__ADMIN__LISTEN", "127.0.0.1:0")
            .stdin(Stdio::null());
        if let Some(postgres) = &self.postgres {
            command.env("NEWSWIRE__PROJECTION__DATABASE", postgres.url());
            if self.articles_too {
                command
                    .env("NEWSWIRE__ARTICLE__STORE", "postgres")
                    .env("NEWSWIRE__ARTICLE__DATABASE", postgres.url())
                    .env("NEWSWIRE__COMMENT__STORE", "postgres")
                    .env("NEWSWIRE__COMMENT__DATABASE", postgres.url());
            }
        }
        command
    }

    /// The token of ann.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// A token.
    pub fn mint(&self, arguments: &[&str]) -> String {
        let output = self.command(&["token"]).args(arguments).output().expect("newswire runs");
        assert!(output.status.success(), "{output:?}");
        let token = String::from_utf8(output.stdout).expect("text");
        token.strip_suffix('\n').expect("one line").to_owned()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.http)
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("err")).expect("the log is there")
    }

    /// A request of ann.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url(path)).bearer_auth(&self.token)
    }

    /// A request of nobody.
    pub fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url(path))
    }

    /// All articles, through the cursor.
    pub async fn list(&self, position: u64) -> Vec<Value> {
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/api/articles?limit=100{cursor}");
            let request = self.request(Method::GET, &path).header("newswire-position", position);
            let response = send(request).await;
            assert_eq!(response.status, 200, "{response:?}");
            items.extend(response.body["items"].as_array().expect("items").clone());
            match response.body["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
    }

    /// The messages in the mail folder.
    pub fn mails(&self) -> Vec<String> {
        mails(&self.data())
    }

    /// Ends it as a crash does.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().expect("the child is ours");
        child.wait().expect("the child is ours");
    }

    /// Ends it as Ctrl-C does; tells its exit code.
    pub fn interrupt(&mut self) -> Option<i32> {
        let mut child = self.child.take().expect("it runs");
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT)
            .expect("the child is ours");
        child.wait().expect("the child is ours").code()
    }

    /// Waits for its end; tells its exit code.
    pub fn wait(&mut self) -> Option<i32> {
        self.child.take().expect("it runs").wait().expect("the child is ours").code()
    }

    /// Waits until no nats-server has the data: one whose parent was killed ends a little later.
    pub async fn data_is_free(&self) {
        eventually("the data to be free", || async {
            fs::File::open(self.data().join("nats/lock")).ok()?.try_lock().ok()
        })
        .await;
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }
}

impl Drop for App {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", fs::read_to_string(self.dir.path().join("err")).unwrap_or_default());
        }
        if let Some(child) = &mut self.child {
            // It may be dead already, which is fine.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// The messages in the mail folder of an installation.
pub fn mails(data: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(data.join("mail")) else { return Vec::new() };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mails = paths.filter(|path| path.extension().is_some_and(|extension| extension == "eml"));
    mails.filter_map(|path| fs::read_to_string(path).ok()).collect()
}

/// Sends `request` and reads the whole response.
pub async fn send(request: RequestBuilder) -> Response {
    let response = request.send().await.expect("answered");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let bytes = response.bytes().await.expect("a body");
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Response { status, headers, body }
}

/// A number from the environment: how long a test is, and which form it has.
pub fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a whole number"))
}
