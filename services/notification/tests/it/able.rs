//! Readiness says whether the service can record and send now.

use service_kit::{Health, health::State};
use sqlx::{Connection as _, SqliteConnection};
use test_support::{ArticleWriter, MailSink, NatsServer, eventually, free_port, ready};

use crate::{arrived, files, folder, start_in};

/// Waits until `component` is not ready because of something with `reason` in it.
async fn unable(health: &Health, component: &str, reason: &str) {
    eventually(&format!("{component} to be unable: {reason}"), || async {
        let state = health.snapshot().remove(component)?;
        matches!(state, State::NotReady(text) if text.contains(reason)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_mail_server_that_is_away_is_said_and_its_return_is_noticed() {
    let (server, folder, context) =
        (NatsServer::provisioned().await, folder(), test_support::context());
    let (port, health) = (free_port(), context.health.clone());
    let url = format!("smtp://127.0.0.1:{port}");
    let lifecycle = start_in(context.clone(), &server, folder.path(), &url);
    unable(&health, "notification: delivery", "the mail server cannot be reached").await;
    let sink = MailSink::start_on(port).await;
    ready(&context).await;
    drop(sink);
    // A message that cannot be sent is a reason to look at once.
    ArticleWriter::new(&server).await.create("ann", "T", "C").await;
    unable(&health, "notification: delivery", "the mail server cannot be reached").await;
    let sink = MailSink::start_on(port).await;
    ready(&context).await;
    arrived(1, || sink.messages()).await;
    lifecycle.finish().await.expect("an orderly end");
}

#[tokio::test]
async fn a_folder_for_the_record_is_made_without_one_for_mail() {
    let (server, folder, context) =
        (NatsServer::provisioned().await, folder(), test_support::context());
    let (sink, data) = (MailSink::start().await, folder.path().join("not/there/yet"));
    let lifecycle = start_in(context.clone(), &server, &data, &sink.url());
    ready(&context).await;
    assert!(data.join("notifications.db").is_file());
    lifecycle.finish().await.expect("an orderly end");
}

#[tokio::test]
async fn a_record_or_folder_that_cannot_be_written_is_said_and_heals() {
    let (server, folder, context) =
        (NatsServer::provisioned().await, folder(), test_support::context());
    let health = context.health.clone();
    let lifecycle = start_in(context.clone(), &server, folder.path(), "");
    ready(&context).await;
    let database = format!("sqlite:{}", folder.path().join("notifications.db").display());
    let mut other = SqliteConnection::connect(&database).await.expect("it is a database");
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.expect("it is locked");
    unable(&health, "notification: record", "the record cannot be written").await;
    sqlx::query("ROLLBACK").execute(&mut other).await.expect("it is unlocked");
    ready(&context).await;
    let (mail, moved) = (folder.path().join("mail"), folder.path().join("moved"));
    std::fs::rename(&mail, &moved).expect("the folder is ours");
    unable(&health, "notification: delivery", "mail cannot be written").await;
    ArticleWriter::new(&server).await.create("ann", "T", "C").await;
    std::fs::rename(&moved, &mail).expect("the folder is ours");
    ready(&context).await;
    arrived(1, || files(folder.path())).await;
    lifecycle.finish().await.expect("an orderly end");
}
