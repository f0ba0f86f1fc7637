//! What is no regular file.

use std::{fs, io::Write as _, process::Stdio};

use serde_json::json;

use super::{articles, import, parts};
use crate::app::App;

#[tokio::test]
async fn what_is_no_file_is_read_as_well() {
    let app = App::start().await;
    let url = app.url("");
    for (number, path) in ["-", "/dev/stdin", "fifo"].into_iter().enumerate() {
        let line = json!({ "title": format!("T{number}"), "content": "C", "slug": format!("s{number}"), "tags": ["Web Dev"] });
        let text = format!("{line}\n");
        let mut command = app.command(&["import", "--url", &url, path]);
        let writer = if path == "fifo" {
            let fifo = app.dir.path().join(path);
            let made = std::process::Command::new("mkfifo").arg(&fifo).status();
            assert!(made.expect("coreutils").success());
            // Opening a fifo waits for the other side.
            Some(std::thread::spawn(move || fs::write(fifo, text).expect("written")))
        } else {
            let (reader, mut writer) = std::io::pipe().expect("a pipe");
            command.stdin(reader);
            writer.write_all(text.as_bytes()).expect("it fits");
            None
        };
        let (code, summary, errors) = parts(&command.output().expect("newswire runs"));
        assert_eq!(
            (code, summary.trim()),
            (Some(0), "1 created, 0 already there, 0 refused, 0 failed"),
            "{path}: {errors}"
        );
        if let Some(writer) = writer {
            writer.join().expect("it was read");
        }
    }
    let all = articles(&app, 3).await;
    assert_eq!(all["T2"], ("s2".to_owned(), vec!["web-dev".to_owned()]));
    let (code, _, errors) = import(&app, &["-"]);
    assert!(code == Some(1) && errors.contains("no article in -"), "{errors}");
}

#[tokio::test]
async fn a_line_that_comes_late_keeps_no_earlier_one_waiting() {
    let app = App::start().await;
    let url = app.url("");
    let mut command = app.command(&["import", "--url", &url, "-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("runs");
    let mut pipe = child.stdin.take().expect("piped");
    pipe.write_all(b"{\"title\":\"T\",\"content\":\"C\"}\n").expect("written");
    articles(&app, 1).await;
    drop(pipe);
    assert_eq!(child.wait().expect("ours").code(), Some(0));
}
