//! The nats-server of docker compose, started as in its container, on a disk of its own.

use std::{
    fs::{self, Permissions},
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use async_nats::{Client, ConnectOptions, jetstream};
use messaging::{Connection, NatsSettings, topology};
use serde_json::Value;
use tempfile::TempDir;
use test_support::{SmallDisk, eventually, free_port, http_client, nats_server_binary, users};
use tokio_util::sync::CancellationToken;

/// How many streams are provisioned.
const STREAMS: u64 = 6;
/// How long an acknowledgement may take.
const PATIENCE: Duration = Duration::from_secs(2);
const GIB: u64 = 1 << 30;
/// The image has a `wget`, and this machine has the program that the scripts get their tools with.
const WGET: &str = "#!/bin/sh\nfor url; do :; done\n\
                    if [ -e \"$(dirname \"$0\")/blind\" ]; then exit 1; fi\n\
                    exec curl --silent --max-time 2 \"$url\"\n";

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/nats")
}

/// What the image has in `/etc/newswire`, with other places and ports.
struct Container {
    dir: TempDir,
    data: PathBuf,
    port: u16,
    monitoring: u16,
    child: Option<Child>,
}

impl Container {
    fn new(data: &Path) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (port, monitoring) = (free_port(), free_port());
        for name in ["start.sh", "max-store.sh", "watch.sh", "permissions.conf"] {
            fs::copy(sources().join(name), dir.path().join(name)).expect("copied");
        }
        let config = fs::read_to_string(sources().join("server.conf")).expect("it is there");
        let store = format!("{}/jetstream", data.display());
        let config = [
            ("0.0.0.0:4222", format!("127.0.0.1:{port}")),
            ("0.0.0.0:8222", format!("127.0.0.1:{monitoring}")),
            ("/data/jetstream", store),
        ]
        .into_iter()
        .fold(config, |config, (from, to)| {
            assert!(config.contains(from), "server.conf has no {from}");
            config.replace(from, &to)
        });
        fs::write(dir.path().join("server.conf"), config).expect("written");
        for user in users() {
            fs::write(dir.path().join(format!("nats_{user}")), user).expect("written");
        }
        let tools = dir.path().join("tools");
        fs::create_dir(&tools).expect("a folder");
        fs::write(tools.join("wget"), WGET).expect("written");
        fs::set_permissions(tools.join("wget"), Permissions::from_mode(0o755)).expect("ours");
        let server = nats_server_binary().canonicalize().expect("run `make tools` to install it");
        std::os::unix::fs::symlink(server, tools.join("nats-server")).expect("a link");
        Self { dir, data: data.to_owned(), port, monitoring, child: None }
    }

    fn start(&mut self, max_store: &str) {
        let path = std::env::var("PATH").unwrap_or_default();
        let log = fs::File::create(self.dir.path().join("log")).expect("a log");
        let mut command = Command::new("/bin/sh");
        command
            .arg(self.dir.path().join("start.sh"))
            .arg("--config")
            .arg(self.dir.path().join("server.conf"))
            .env("PATH", format!("{}:{path}", self.dir.path().join("tools").display()))
            .env("NEWSWIRE_SECRETS", self.dir.path())
            .env("NEWSWIRE_NATS_DATA", &self.data)
            .env("NEWSWIRE_NATS_HEALTH", format!("http://127.0.0.1:{}/healthz", self.monitoring))
            .env("NEWSWIRE_NATS_MAX_STORE", max_store)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(0);
        self.child = Some(command.spawn().expect("a shell"));
    }

    /// Lets nobody see how the server is, or everybody.
    fn blind(&self, is_blind: bool) {
        let file = self.dir.path().join("tools/blind");
        let done = if is_blind { fs::write(file, "") } else { fs::remove_file(file) };
        done.expect("ours");
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).expect("a log")
    }

    async fn connect(&self) -> Connection {
        let settings = NatsSettings {
            url: format!("nats://127.0.0.1:{}", self.port),
            user: "admin".to_owned(),
            password: "admin".into(),
            ca_file: String::new(),
        };
        let stop = CancellationToken::new();
        let opened = Connection::open(&settings, "admin", &stop).await;
        opened.expect("it lets admin in").expect("nobody stops")
    }

    async fn client(&self) -> Client {
        let options = ConnectOptions::new().user_and_password("admin".into(), "admin".into());
        options.connect(format!("nats://127.0.0.1:{}", self.port)).await.expect("it lets admin in")
    }

    /// How many bytes all streams may take, once `streams` are open: the server tells of them while it opens them.
    async fn max_store_with(&self, streams: u64) -> u64 {
        let url = format!("http://127.0.0.1:{}/jsz", self.monitoring);
        eventually("the server to open its streams", || async {
            let told: Value = http_client().get(&url).send().await.ok()?.json().await.ok()?;
            let is_open = told["streams"].as_u64()? == streams;
            told["config"]["max_storage"].as_u64().filter(|_| is_open)
        })
        .await
    }

    /// Waits for its end, and says whether the watch brought it about.
    async fn ended(&mut self) -> bool {
        let child = self.child.as_mut().expect("it was started");
        eventually("the server to end", || {
            let ended = child.try_wait().expect("the child is ours");
            async move { ended }
        })
        .await;
        self.child = None;
        self.log().contains("nats-server cannot write although there is room")
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
    }
}

/// Whether an event can be stored: one that nobody decodes.
async fn stores(client: &Client, number: u32) -> bool {
    let mut jetstream = jetstream::new(client.clone());
    jetstream.set_timeout(PATIENCE);
    match jetstream.publish(format!("events.probe.{number}"), vec![b'x'; 4096].into()).await {
        Ok(acknowledged) => acknowledged.await.is_ok(),
        Err(_) => false,
    }
}

fn max_store(folder: &Path, setting: &str) -> Output {
    let script = sources().join("max-store.sh");
    Command::new("/bin/sh").arg(script).arg(folder).arg(setting).output().expect("a shell")
}

#[test]
fn the_bound_is_a_size_with_a_unit() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    for (setting, bytes) in [("4GB", 4 * GIB), ("500MB", 500 << 20), ("12KB", 12 << 10)] {
        let output = max_store(dir.path(), setting);
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{bytes}\n"));
    }
    for setting in ["", "4", "GB", "0GB", "-1GB", "4TB", "4 GB", "4gb", "1.5GB", "9999999999GB"] {
        let output = max_store(dir.path(), setting);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
        let expected = format!(
            "NEWSWIRE_NATS_MAX_STORE is \"{setting}\": a size such as 500MB or 4GB was expected\n"
        );
        assert_eq!(said, expected);
    }
}

#[tokio::test]
async fn a_bound_is_kept_and_streams_that_need_more_are_opened() {
    let data = tempfile::tempdir().expect("a temporary folder");
    let mut container = Container::new(data.path());
    container.start("3GB");
    topology::provision(&container.connect().await, 1).await.expect("the streams are provisioned");
    assert_eq!(container.max_store_with(STREAMS).await, 3 * GIB);
    container.stop();
    container.start("500MB");
    assert_eq!(container.max_store_with(STREAMS).await, 2 * GIB);
    assert!(container.log().contains("the streams that are there need more"));
    container.stop();
    container.start("lots");
    let child = container.child.as_mut().expect("it was started");
    assert!(!child.wait().expect("the child is ours").success());
    assert!(container.log().contains("NEWSWIRE_NATS_MAX_STORE is \"lots\""));
}

#[tokio::test]
async fn after_a_full_disk_it_ends_as_soon_as_there_is_room_and_starts_able() {
    let disk = SmallDisk::mount(100);
    let mut container = Container::new(disk.path());
    container.start("4GB");
    let connection = container.connect().await;
    topology::provision(&connection, 1).await.expect("the streams are provisioned");
    let client = container.client().await;
    assert!(stores(&client, 0).await);
    disk.fill();
    let mut number = 1;
    while stores(&client, number).await {
        number += 1;
    }
    disk.empty();
    assert!(container.ended().await, "{}", container.log());
    disk.fill();
    container.start("4GB");
    // Each is opened on a full disk.
    container.max_store_with(STREAMS).await;
    disk.empty();
    eventually("an event to be stored", || async { stores(&client, 0).await.then_some(()) }).await;
}

#[tokio::test]
async fn a_write_that_fails_before_the_first_look_is_noticed() {
    let disk = SmallDisk::mount(100);
    let mut container = Container::new(disk.path());
    container.blind(true);
    container.start("4GB");
    topology::provision(&container.connect().await, 1).await.expect("the streams are provisioned");
    let client = container.client().await;
    disk.fill();
    let mut number = 0;
    while stores(&client, number).await {
        number += 1;
    }
    disk.empty();
    container.blind(false);
    assert!(container.ended().await, "{}", container.log());
}
