//! How a command starts: what it reads, and whom it answers.

use std::{
    fs::{self, File},
    io::PipeWriter,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;
use test_support::{eventually, free_port, http_client, nats_server_binary};

/// `newswire` in `dir`, with nothing set.
fn newswire(dir: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_newswire"));
    command.args(arguments).current_dir(dir.path()).stdin(Stdio::null());
    command
}

fn token(dir: &TempDir) -> Output {
    newswire(dir, &["token", "--user", "ann"]).output().expect("newswire runs")
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// A pipe that nobody reads any more.
fn closed() -> PipeWriter {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    writer
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_settings_file_that_is_there_and_cannot_be_read_is_named_and_no_key_is_made() {
    type Make = fn(&Path);
    let ways: [(&str, Make); 4] = [
        ("a folder", |path| fs::create_dir(path).expect("created")),
        ("a link to nowhere", |path| symlink("nowhere", path).expect("linked")),
        ("a link to itself", |path| symlink(path, path).expect("linked")),
        ("not text", |path| fs::write(path, [0xff, 0xfe]).expect("written")),
    ];
    for (what, make) in ways {
        let dir = folder();
        make(&dir.path().join("newswire.toml"));
        let output = token(&dir);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{what}: {error}");
        assert!(error.contains("newswire.toml cannot be read"), "{what}: {error}");
        assert!(!dir.path().join("data").exists(), "{what}: something was made");
    }
    assert!(token(&folder()).status.success(), "without a file the defaults hold");
}

#[test]
fn a_key_that_cannot_be_read_is_not_replaced() {
    let dir = folder();
    let data = dir.path().join("data");
    fs::create_dir(&data).expect("created");
    let key = data.join("auth.key");
    symlink("../volume-that-is-not-mounted/auth.key", &key).expect("linked");
    let output = token(&dir);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("auth.key"), "{error}");
    assert!(fs::symlink_metadata(&key).expect("it is there").is_symlink());
    // A part of the path that is no folder is not "not found" either.
    let output = newswire(&dir, &["token", "--user", "ann"])
        .env("NEWSWIRE__AUTH__KEY_FILE", "newswire/auth.key")
        .output()
        .expect("newswire runs");
    assert!(text(&output.stderr).contains("newswire/auth.key"), "{output:?}");
}

#[test]
fn an_empty_variable_changes_nothing() {
    let dir = folder();
    let output = newswire(&dir, &["token", "--user", "ann"])
        .env("NEWSWIRE__DATA_DIR", "")
        .env("NEWSWIRE__HTTP__MAX_CONNECTIONS", "")
        .env("NEWSWIRE__AUTH__ISSUER", "")
        .output()
        .expect("newswire runs");
    assert!(output.status.success(), "{output:?}");
    assert!(dir.path().join("data/auth.key").is_file() && !dir.path().join("auth.key").exists());
}

#[test]
fn an_answer_that_nobody_reads_is_no_failure_and_one_that_cannot_be_written_is() {
    let dir = folder();
    let arguments = ["token", "--user", "ann"];
    let unread = newswire(&dir, &arguments).stdout(closed()).output().expect("newswire runs");
    assert_eq!((unread.status.code(), text(&unread.stderr).as_str()), (Some(0), ""));
    let full = File::options().write(true).open("/dev/full").expect("Linux");
    let full = newswire(&dir, &arguments).stdout(full).output().expect("newswire runs");
    let error = text(&full.stderr);
    assert_eq!(full.status.code(), Some(1), "{error}");
    assert!(error.starts_with("newswire: writing to standard output failed"), "{error}");
    // A complaint that nobody hears does not change the exit code.
    let unheard = newswire(&dir, &["--config", "absent.toml", "token", "--user", "ann"])
        .stderr(closed())
        .output()
        .expect("newswire runs");
    assert_eq!(unheard.status.code(), Some(1));
}

#[tokio::test]
async fn newswire_runs_whether_or_not_anybody_reads_what_it_says() {
    for full in [false, true] {
        let dir = folder();
        let http = free_port();
        let said = || -> Stdio {
            if full {
                File::options().write(true).open("/dev/full").expect("Linux").into()
            } else {
                closed().into()
            }
        };
        let binary = nats_server_binary().canonicalize().unwrap_or_else(|_| nats_server_binary());
        let mut child = newswire(&dir, &["run"])
            .env("NEWSWIRE__EMBEDDED_NATS__BINARY", binary)
            .env("NEWSWIRE__EMBEDDED_NATS__LISTEN", format!("127.0.0.1:{}", free_port()))
            .env("NEWSWIRE__HTTP__LISTEN", format!("127.0.0.1:{http}"))
            .env("NEWSWIRE__ADMIN__LISTEN", "127.0.0.1:0")
            .stdout(said())
            .stderr(said())
            .spawn()
            .expect("newswire starts");
        let client = http_client();
        for _ in 0..3 {
            eventually("newswire to serve", || async {
                let url = format!("http://127.0.0.1:{http}/api/articles");
                (client.get(url).send().await.ok()?.status() == 200).then_some(())
            })
            .await;
        }
        assert!(child.try_wait().expect("ours").is_none(), "it goes on");
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("ours");
        assert_eq!(child.wait().expect("ours").code(), Some(0));
    }
}
