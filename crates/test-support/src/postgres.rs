use std::{
    env, fs,
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

use crate::{eventually, free_port};

/// The system's user for servers: they refuse to run as root.
const SYSTEM_USER: &str = "postgres";
/// The user, the password and the database of a test's server.
const NAME: &str = "newswire";

/// A real PostgreSQL on a free port, with its data on disk.
#[derive(Debug)]
pub struct PostgresServer {
    child: Child,
    port: u16,
    dir: TempDir,
}

impl PostgresServer {
    /// Starts a server with an empty database and waits until it answers.
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        if let Some(system) = system_user() {
            chown(dir.path(), Some(system.user), Some(system.group)).expect("we are root");
        }
        initialize(dir.path());
        let port = free_port();
        let child = spawn(dir.path(), port);
        let server = Self { child, port, dir };
        server.ready().await;
        server
    }

    /// Where its database is: `postgres://user:password@127.0.0.1:port/database`.
    #[must_use]
    pub fn url(&self) -> String {
        // The database that every server has.
        format!("postgres://{NAME}:{NAME}@127.0.0.1:{}/postgres", self.port)
    }

    /// Executes what `pg_dump` wrote and gzip packed.
    pub fn load(&self, dump: &Path) {
        let mut unpack = Command::new("gzip")
            .args(["--decompress", "--stdout"])
            .arg(dump)
            .stdout(Stdio::piped())
            .spawn()
            .expect("gzip runs");
        let loaded = command("psql")
            .args(["--quiet", "--set=ON_ERROR_STOP=1", "--dbname", &self.url()])
            .current_dir("/")
            .stdin(unpack.stdout.take().expect("a pipe"))
            .stdout(Stdio::null())
            .status();
        assert!(loaded.expect("psql runs").success(), "the dump is loaded");
        unpack.wait().expect("the child is ours");
    }

    /// Ends it as a crash does, and waits until nothing of it runs.
    pub async fn kill(&mut self) {
        let backends = children(self.child.id());
        self.child.kill().expect("the child is ours");
        self.child.wait().expect("the child is ours");
        // They end by themselves without it; while one runs, a new server refuses to start.
        eventually("the database's processes to end", || async {
            (!backends.iter().any(|pid| runs(*pid))).then_some(())
        })
        .await;
    }

    /// Starts it again after [`kill`](Self::kill), on the same port with the same data.
    pub async fn restart(&mut self) {
        // It names the process that was killed.
        fs::remove_file(self.data().join("postmaster.pid")).expect("it was killed");
        self.child = spawn(self.dir.path(), self.port);
        self.ready().await;
    }

    async fn ready(&self) {
        eventually("PostgreSQL to be ready", || async {
            let status = fs::read_to_string(self.data().join("postmaster.pid")).ok()?;
            status.lines().last()?.starts_with("ready").then_some(())
        })
        .await;
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        // On SIGQUIT it ends its processes and itself at once. It may be dead already, which is fine.
        if let Ok(None) = self.child.try_wait() {
            let _ = kill_process(Pid::from_child(&self.child), Signal::QUIT);
        }
        let _ = self.child.wait();
    }
}

/// A user of the system.
struct SystemUser {
    user: u32,
    group: u32,
}

/// As whom to run a server; `None` for ourselves.
fn system_user() -> Option<SystemUser> {
    if !geteuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("the system has users");
    let user = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let user = user.into_iter().find(|fields| fields[0] == SYSTEM_USER);
    let user = user.expect("there is a user postgres: run `make test-tools` to install PostgreSQL");
    let id = |field: usize| user[field].parse().expect("a number");
    Some(SystemUser { user: id(2), group: id(3) })
}

/// A program of PostgreSQL, run as somebody who may.
fn command(program: &str) -> Command {
    let path = find(program);
    if system_user().is_none() {
        return Command::new(path);
    }
    // It becomes the program, so its process is the program's.
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid", SYSTEM_USER, "--regid", SYSTEM_USER, "--clear-groups", "--"])
        .arg(path);
    command
}

/// On PATH, where `pg_config` says, or where Debian puts it; the newest there.
fn find(program: &str) -> PathBuf {
    let on_path = env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = env::split_paths(&on_path).collect();
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
        folders.push(String::from_utf8_lossy(&output.stdout).trim().into());
    }
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<PathBuf> = versions.map(|version| version.path()).collect();
    versions.sort_by_key(|path| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.and_then(|name| name.parse::<u32>().ok()).unwrap_or(0)
    });
    folders.extend(versions.iter().rev().map(|version| version.join("bin")));
    folders
        .iter()
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("no {program}: run `make test-tools` to install PostgreSQL"))
}

fn initialize(dir: &Path) {
    let password = dir.join("password");
    fs::write(&password, NAME).expect("the password is written");
    // Whoever runs the server must read it, and it is no secret.
    fs::set_permissions(&password, fs::Permissions::from_mode(0o644)).expect("the file is ours");
    let output = command("initdb")
        .args(["--no-sync", "--no-instructions", "--locale=C", "--encoding=UTF8"])
        .args(["--auth=scram-sha-256", "--username", NAME, "--pwfile"])
        .arg(password)
        .arg("--pgdata")
        .arg(dir.join("data"))
        .current_dir(dir)
        .output()
        .expect("initdb starts: run `make test-tools` to install PostgreSQL");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn spawn(dir: &Path, port: u16) -> Child {
    let log = fs::File::options().create(true).append(true).open(dir.join("server.log"));
    command("postgres")
        .arg("-D")
        .arg(dir.join("data"))
        .args(["-p", &port.to_string()])
        .args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="])
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log.expect("a log file"))
        .spawn()
        .expect("PostgreSQL starts: run `make test-tools` to install it")
}

/// The processes that the process `pid`, which has one thread, has started.
fn children(pid: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    children.unwrap_or_default().split_whitespace().filter_map(|id| id.parse().ok()).collect()
}

/// Whether the process `pid` runs; one that only waits to be buried does not.
fn runs(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !status.is_empty() && !status.contains(") Z ")
}
