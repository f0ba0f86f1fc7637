use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::{eventually, free_port};

/// A real SMTP server (aiosmtpd) that keeps what it receives.
#[derive(Debug)]
pub struct MailSink {
    child: Child,
    port: u16,
    dir: TempDir,
}

impl MailSink {
    /// Starts it on a free port and waits until it answers.
    pub async fn start() -> Self {
        Self::start_on(free_port()).await
    }

    /// Starts it on `port` and waits until it answers.
    pub async fn start_on(port: u16) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/python");
        let child = Command::new("python3")
            .args(["-m", "aiosmtpd", "-n", "-l", &format!("127.0.0.1:{port}")])
            .args(["-c", "aiosmtpd.handlers.Mailbox"])
            .arg(dir.path().join("mail"))
            .env("PYTHONPATH", python)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("aiosmtpd starts: run `make tools` to install it");
        let sink = Self { child, port, dir };
        eventually("the mail server to listen (`make tools` installs it)", || async {
            TcpStream::connect(("127.0.0.1", port)).await.ok()
        })
        .await;
        sink
    }

    /// Where it listens: `smtp://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// The folder with a file for each message that it received; it is there once there is one.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.dir.path().join("mail/new")
    }

    /// The messages that it received, in no order.
    #[must_use]
    pub fn messages(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.folder()) else {
            return Vec::new();
        };
        entries.filter_map(|entry| fs::read_to_string(entry.ok()?.path()).ok()).collect()
    }
}

impl Drop for MailSink {
    fn drop(&mut self) {
        // It may be dead already, which is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The messages in the files of `folder` as Python's `email` package reads them: `headers`, `to`, `text`, `defects` and what
/// else `read_mail.py` tells.
#[must_use]
pub fn read_mail(folder: &Path) -> Vec<serde_json::Value> {
    let read = Command::new("python3")
        .args(["-c", include_str!("read_mail.py")])
        .arg(folder)
        .stderr(Stdio::inherit())
        .output()
        .expect("Python starts");
    assert!(read.status.success(), "a message cannot be read");
    serde_json::from_slice(&read.stdout).expect("the script prints JSON")
}
