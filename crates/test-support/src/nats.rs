use std::{
    collections::BTreeMap,
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use futures_util::TryStreamExt;
use messaging::{Connection, NatsSettings, topology};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::{
    eventually,
    permissions::{copy_permissions, users, workspace},
};

/// Where ports for servers are looked for.
const PORTS: std::ops::Range<u16> = 10_000..32_000;

/// A real nats-server on a free port, with JetStream on disk and Newswire's permissions.
#[derive(Debug)]
pub struct NatsServer {
    child: Child,
    port: u16,
    sync: String,
    new_acknowledgements: bool,
    dir: TempDir,
}

impl NatsServer {
    /// Starts a server and waits until it answers. It has no streams.
    pub async fn start() -> Self {
        Self::start_with_sync("1s").await
    }

    /// Starts a server that has Newswire's streams and syncs to disk as `sync` says: `always`, or a time.
    pub async fn provisioned_with_sync(sync: &str) -> Self {
        let server = Self::start_with_sync(sync).await;
        let admin = server.connect("admin").await;
        topology::provision(&admin, 1).await.expect("the streams are provisioned");
        server
    }

    /// Starts a server that has Newswire's streams, with the form of acknowledgements that nats-server 2.16 uses by default:
    /// a consumer may answer a message once by `allow_responses`, and more often only by a permission.
    pub async fn provisioned_with_new_acknowledgements() -> Self {
        let mut server = Self::provisioned().await;
        server.kill();
        server.new_acknowledgements = true;
        server.restart();
        server
    }

    async fn start_with_sync(sync: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let ports = dir.path().join("ports");
        fs::create_dir(&ports).expect("a folder for the ports file");
        // Its own for good: it keeps it across a restart.
        write_config(dir.path(), &free_port().to_string(), sync, false);
        let child = spawn(dir.path());
        let port = eventually("nats-server to tell its port", || async { read_port(&ports) }).await;
        Self { child, port, sync: sync.to_owned(), new_acknowledgements: false, dir }
    }

    /// Starts a server that has Newswire's streams.
    pub async fn provisioned() -> Self {
        Self::provisioned_with_sync("1s").await
    }

    /// Where it listens: `nats://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// How the service `user` connects.
    #[must_use]
    pub fn settings(&self, user: &str) -> NatsSettings {
        NatsSettings {
            url: self.url(),
            user: user.to_owned(),
            password: user.to_owned().into(),
            ca_file: String::new(),
        }
    }

    /// Connects as the service `user`.
    pub async fn connect(&self, user: &str) -> Connection {
        Connection::open(&self.settings(user), user, &CancellationToken::new())
            .await
            .expect("the server takes the user")
            .expect("nobody stops the attempt")
    }

    /// Connects the bare client as `user`.
    pub async fn client(&self, user: &str) -> async_nats::Client {
        async_nats::ConnectOptions::new()
            .custom_inbox_prefix(format!("_INBOX_{user}"))
            .user_and_password(user.to_owned(), user.to_owned())
            .connect(self.url())
            .await
            .expect("connected to the test server")
    }

    /// How many messages `stream` has.
    pub async fn messages_in(&self, stream: &str) -> u64 {
        let jetstream = async_nats::jetstream::new(self.client("admin").await);
        let stream = jetstream.get_stream(stream).await.expect("the stream is there");
        stream.cached_info().state.messages
    }

    /// The subjects in `EVENTS` that `filter` matches, each with how many messages it has.
    ///
    /// # Panics
    ///
    /// Panics when the stream is not there.
    pub async fn subjects(&self, filter: &str) -> BTreeMap<String, usize> {
        let jetstream = async_nats::jetstream::new(self.client("admin").await);
        let stream = jetstream.get_stream("EVENTS").await.expect("the stream is there");
        let subjects = stream.info_with_subjects(filter).await.expect("told");
        subjects.try_collect().await.expect("told")
    }

    /// The number of events in `EVENTS`. A probe, which tells nothing, is no event.
    ///
    /// # Panics
    ///
    /// Panics when the stream is not there.
    pub async fn events(&self) -> u64 {
        let jetstream = async_nats::jetstream::new(self.client("admin").await);
        let stream = jetstream.get_stream("EVENTS").await.expect("the stream is there");
        let mut subjects = stream.info_with_subjects("events.*.>").await.expect("told");
        let mut events = 0;
        while let Some((_, messages)) = subjects.try_next().await.expect("told") {
            events += messages as u64;
        }
        events
    }

    /// Waits until `consumer` has nothing in hand and everything up to `position` is acknowledged.
    pub async fn acknowledged(&self, stream: &str, consumer: &str, position: u64) {
        let jetstream = async_nats::jetstream::new(self.client("admin").await);
        eventually(&format!("{consumer} to have handled position {position}"), || async {
            let stream = jetstream.get_stream_no_info(stream).await.ok()?;
            let info = stream.consumer_info(consumer).await.ok()?;
            (info.num_ack_pending == 0 && info.ack_floor.stream_sequence >= position).then_some(())
        })
        .await;
    }

    /// Puts a message into the stream of `subject` as it is, as a restored backup would.
    pub async fn store(&self, subject: &str, headers: &[(String, String)], data: &str) {
        let jetstream = async_nats::jetstream::new(self.client("admin").await);
        let mut map = async_nats::HeaderMap::new();
        for (name, value) in headers {
            map.insert(name.as_str(), value.as_str());
        }
        let payload = data.to_owned().into();
        let sent = jetstream.publish_with_headers(subject.to_owned(), map, payload).await;
        sent.expect("sent").await.expect("stored");
    }

    /// Deletes a durable, as an operator might.
    pub async fn delete_consumer(&self, stream: &str, consumer: &str) {
        let jetstream = async_nats::jetstream::new(self.client("admin").await);
        let deleted = jetstream.delete_consumer_from_stream(consumer, stream).await;
        deleted.expect("the durable was there");
    }

    /// Deletes all streams and makes others: beside what is left of an old one no new stream of events is made.
    pub async fn exchange_streams(&self) {
        let admin = self.connect("admin").await;
        let jetstream = async_nats::jetstream::new(self.client("admin").await);
        let names: Vec<String> = jetstream.stream_names().try_collect().await.expect("told");
        for name in names {
            jetstream.delete_stream(name).await.expect("the stream was there");
        }
        topology::provision(&admin, 1).await.expect("the streams are provisioned");
    }

    /// Where it keeps its streams.
    #[must_use]
    pub fn store_dir(&self) -> PathBuf {
        self.dir.path().join("jetstream")
    }

    /// Ends it as a crash does.
    pub fn kill(&mut self) {
        self.child.kill().expect("the child is ours");
        self.child.wait().expect("the child is ours");
    }

    /// Ends it in order: it writes down what it has.
    pub fn stop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)
            .expect("the child is ours");
        self.child.wait().expect("the child is ours");
    }

    /// Starts it again after [`kill`](Self::kill), on the same port with the same data.
    pub fn restart(&mut self) {
        let port = self.port.to_string();
        write_config(self.dir.path(), &port, &self.sync, self.new_acknowledgements);
        self.child = spawn(self.dir.path());
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        // It may be dead already, which is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Deletes `stream` of the server at `url`, as an administrator may.
///
/// # Panics
///
/// Panics when it is not there.
pub async fn delete_stream(url: &str, password: &str, stream: &str) {
    let options = async_nats::ConnectOptions::new()
        .custom_inbox_prefix("_INBOX_admin")
        .user_and_password("admin".to_owned(), password.to_owned());
    let client = options.connect(url).await.expect("connected to the test server");
    let deleted = async_nats::jetstream::new(client).delete_stream(stream).await;
    assert!(deleted.expect("it was there").success, "{stream} is deleted");
}

/// A port that nobody listens on now.
///
/// Not one that the system hands out for outgoing connections (from 32768 on): such a connection could take it before
/// its server does. And no other one than before in this process, so that tests that run together do not meet.
#[must_use]
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Test processes that run at the same time start elsewhere.
    let first = std::process::id().wrapping_mul(211);
    for _ in 0..PORTS.len() {
        let next = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(first);
        let port =
            PORTS.start + u16::try_from(next % u32::from(PORTS.end - PORTS.start)).unwrap_or(0);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port of {PORTS:?} is free");
}

/// The nats-server that tests run on.
#[must_use]
pub fn nats_server_binary() -> PathBuf {
    if let Some(path) = std::env::var_os("NEWSWIRE_NATS_SERVER") {
        return path.into();
    }
    let installed = workspace().join(".tools/nats-server");
    if installed.exists() { installed } else { "nats-server".into() }
}

fn write_config(dir: &Path, port: &str, sync: &str, new_acknowledgements: bool) {
    copy_permissions(dir);
    let store = dir.join("jetstream").display().to_string();
    // Older servers do not know the flag.
    let flags = if new_acknowledgements { "feature_flags { js_ack_fc_v2: true }\n" } else { "" };
    let config = format!(
        "server_name: test\nlisten: \"127.0.0.1:{port}\"\n\
         jetstream {{ store_dir: \"{store}\", sync_interval: \"{sync}\" }}\ninclude \"permissions.conf\"\n{flags}"
    );
    fs::write(dir.join("server.conf"), config).expect("the configuration is written");
}

fn spawn(dir: &Path) -> Child {
    let log = fs::File::create(dir.join("server.log")).expect("a log file");
    let mut command = Command::new(nats_server_binary());
    command
        .arg("--config")
        .arg(dir.join("server.conf"))
        .arg("--ports_file_dir")
        .arg(dir.join("ports"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    for user in users() {
        command.env(format!("NEWSWIRE_NATS_{}_PASSWORD", user.to_uppercase()), user);
    }
    command.spawn().expect("nats-server starts: run `make tools` to install it")
}

fn read_port(dir: &Path) -> Option<u16> {
    let file = fs::read_dir(dir).ok()?.next()?.ok()?;
    let ports: serde_json::Value = serde_json::from_slice(&fs::read(file.path()).ok()?).ok()?;
    ports["nats"][0].as_str()?.rsplit(':').next()?.parse().ok()
}
