//! The record and the folder of mails on a disk that takes nothing more for a while.

use std::{path::Path, time::Duration};

use service_kit::{Health, health::State};
use test_support::{ArticleWriter, NatsServer, SmallDisk, eventually, ready};

use crate::{arrived, files, start_in};

/// The size of the disk in megabytes.
const DISK: u32 = 4;

/// How often it fills and empties: twice in `make test`; `NEWSWIRE_DISK_ROUNDS` chooses how often.
fn rounds() -> usize {
    std::env::var("NEWSWIRE_DISK_ROUNDS").map_or(2, |rounds| rounds.parse().expect("a number"))
}

/// Waits until `component` says that it is not able, with one of the reasons of a full disk.
async fn unable(health: &Health, component: &str) {
    eventually(&format!("{component} to be unable"), || async {
        let State::NotReady(reason) = health.snapshot().remove(component)? else { return None };
        let is_full = reason.contains("No space left on device") || reason.contains("is full");
        is_full.then_some(())
    })
    .await;
}

/// Waits for `count` mails, and asserts that there is one for each of the titles `0` to `count`.
async fn each_once(data_dir: &Path, count: usize) {
    let mails = arrived(count, || files(data_dir)).await;
    assert_eq!(mails.len(), count, "a mail for each event");
    for title in 0..count {
        let subject = format!("Title:   {title}\r\n");
        let about = mails.iter().filter(|mail| mail.contains(&subject)).count();
        assert_eq!(about, 1, "mails about {title}");
    }
}

#[tokio::test]
async fn each_mail_is_written_once_whatever_the_disk_takes() {
    let (server, disk, context) =
        (NatsServer::provisioned().await, SmallDisk::mount(DISK), test_support::context());
    let health = context.health.clone();
    let lifecycle = start_in(context.clone(), &server, disk.path(), "");
    ready(&context).await;
    let writer = ArticleWriter::new(&server).await;
    let mut written = 0;
    for _ in 0..rounds() {
        for is_full in [false, true] {
            if is_full {
                disk.fill();
                unable(&health, "notification: record").await;
                unable(&health, "notification: delivery").await;
            }
            for _ in 0..10 {
                writer.create("ann", &written.to_string(), "C").await;
                written += 1;
            }
        }
        disk.empty();
        each_once(disk.path(), written).await;
        ready(&context).await;
    }
    lifecycle.finish().await.expect("an orderly end");
}

#[tokio::test]
async fn a_start_waits_for_room_and_says_so() {
    let (server, disk) = (NatsServer::provisioned().await, SmallDisk::mount(DISK));
    let context = test_support::context();
    let lifecycle = start_in(context.clone(), &server, disk.path(), "");
    ready(&context).await;
    let writer = ArticleWriter::new(&server).await;
    writer.create("ann", "0", "C").await;
    each_once(disk.path(), 1).await;
    lifecycle.finish().await.expect("an orderly end");

    disk.fill();
    let context = test_support::context();
    let health = context.health.clone();
    let lifecycle = start_in(context.clone(), &server, disk.path(), "");
    writer.create("ann", "1", "C").await;
    eventually("the record to be said not to open", || async {
        let state = health.snapshot().remove("notification: record")?;
        matches!(state, State::NotReady(reason) if reason.contains("cannot be opened"))
            .then_some(())
    })
    .await;
    disk.empty();
    let healed = tokio::time::timeout(Duration::from_secs(10), ready(&context)).await;
    healed.expect("ready soon after there is room");
    each_once(disk.path(), 2).await;
    lifecycle.finish().await.expect("an orderly end");
}
