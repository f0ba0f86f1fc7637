use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{
    Proxy, eventually,
    nats::{free_port, nats_server_binary},
    permissions::{copy_permissions, users},
};

/// The password of every user.
pub const CLUSTER_PASSWORD: &str = "of-the-cluster";
/// As `README.md` says for a cluster: a server that stands still is given up by the others. Until then they hand it requests for the
/// services that were connected to it, which nobody answers.
const PINGS: &str = "ping_interval: \"1s\", ping_max: 2";
/// Where each server says that it is: the others are to find it by the ways that can be cut alone.
const NOWHERE: &str = "127.0.0.1:1";
/// How many servers it has.
const SERVERS: usize = 3;

/// Three nats-servers with Newswire's permissions, of which any two are a quorum.
#[derive(Debug)]
pub struct NatsCluster {
    children: Vec<Child>,
    ports: Vec<u16>,
    /// The way of each server (first) to each other.
    ways: BTreeMap<(usize, usize), Proxy>,
    _dir: TempDir,
}

impl NatsCluster {
    /// Starts it and waits until a stream could be made. It has no streams.
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let ports: Vec<u16> = (0..SERVERS).map(|_| free_port()).collect();
        let routes: Vec<u16> = (0..SERVERS).map(|_| free_port()).collect();
        let mut ways = BTreeMap::new();
        for from in 0..SERVERS {
            for to in (0..SERVERS).filter(|to| *to != from) {
                ways.insert((from, to), Proxy::start(routes[to]).await);
            }
        }
        let children = (0..SERVERS).map(|number| {
            let dir = dir.path().join(name(number));
            fs::create_dir(&dir).expect("a folder");
            let others = (0..SERVERS).filter_map(|to| Some(ways.get(&(number, to))?.port));
            spawn(&dir, number, ports[number], routes[number], &others.collect::<Vec<u16>>())
        });
        let children = children.collect();
        let cluster = Self { children, ports, ways, _dir: dir };
        eventually("the cluster to have a leader", || async {
            let jetstream = async_nats::jetstream::new(cluster.client().await?);
            jetstream.query_account().await.ok()
        })
        .await;
        cluster
    }

    /// Where the servers are, for the setting `nats.url`.
    #[must_use]
    pub fn url(&self) -> String {
        let urls: Vec<String> =
            self.ports.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
        urls.join(",")
    }

    /// The number of the server that leads `stream`.
    pub async fn leader_of(&self, stream: &str) -> usize {
        eventually("the stream to have a leader", || async {
            let jetstream = async_nats::jetstream::new(self.client().await?);
            let stream = jetstream.get_stream(stream).await.ok()?;
            let leader = stream.cached_info().cluster.as_ref()?.leader.clone()?;
            (0..SERVERS).find(|number| name(*number) == leader)
        })
        .await
    }

    /// Has the server stand still, as a machine that hangs does: its connections stay.
    pub fn freeze(&self, number: usize) {
        self.signal(number, Signal::STOP);
    }

    /// Has it go on.
    pub fn thaw(&self, number: usize) {
        self.signal(number, Signal::CONT);
    }

    /// Cuts the server off from the others. Its clients reach it as before.
    pub fn cut_off(&self, number: usize) {
        self.ways_of(number).for_each(Proxy::cut);
    }

    /// Ends that.
    pub fn reconnect(&self, number: usize) {
        self.ways_of(number).for_each(Proxy::mend);
    }

    fn ways_of(&self, number: usize) -> impl Iterator<Item = &Proxy> {
        let ways = self.ways.iter();
        ways.filter(move |((from, to), _)| number == *from || number == *to).map(|(_, way)| way)
    }

    fn signal(&self, number: usize, signal: Signal) {
        kill_process(Pid::from_child(&self.children[number]), signal).expect("the child is ours");
    }

    async fn client(&self) -> Option<async_nats::Client> {
        let servers: Vec<String> = self.url().split(',').map(str::to_owned).collect();
        let options = async_nats::ConnectOptions::new()
            .user_and_password("admin".to_owned(), CLUSTER_PASSWORD.to_owned())
            .custom_inbox_prefix("_INBOX_admin");
        options.connect(servers).await.ok()
    }
}

impl Drop for NatsCluster {
    fn drop(&mut self) {
        for child in &mut self.children {
            // It may be dead already, which is fine. One that stands still is killed as well.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn name(number: usize) -> String {
    format!("n{number}")
}

fn spawn(dir: &Path, number: usize, port: u16, route: u16, others: &[u16]) -> Child {
    copy_permissions(dir);
    let others: Vec<String> =
        others.iter().map(|way| format!("\"nats://127.0.0.1:{way}\"")).collect();
    let config = format!(
        "server_name: {}\nlisten: \"127.0.0.1:{port}\"\njetstream {{ store_dir: \"{}\" }}\n\
         cluster {{ name: test, listen: \"127.0.0.1:{route}\", advertise: \"{NOWHERE}\", routes: [{}]\n\
         {PINGS} }}\ninclude \"permissions.conf\"\n",
        name(number),
        dir.join("jetstream").display(),
        others.join(", "),
    );
    let path = dir.join("server.conf");
    fs::write(&path, config).expect("the configuration is written");
    let log = fs::File::create(dir.join("server.log")).expect("a log file");
    let mut command = Command::new(nats_server_binary());
    command.arg("--config").arg(path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    for user in users() {
        command.env(format!("NEWSWIRE_NATS_{}_PASSWORD", user.to_uppercase()), CLUSTER_PASSWORD);
    }
    command.spawn().expect("nats-server starts: run `make tools` to install it")
}
