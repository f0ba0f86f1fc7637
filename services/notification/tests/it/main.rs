//! The notification service on a real nats-server, with a real mail server.

mod able;
mod full_disk;
mod mail;
mod replicas;

use std::{fs, path::Path};

use notification::{NotificationSettings, Settings};
use service_kit::{Context, Lifecycle};
use tempfile::TempDir;
use test_support::{ArticleWriter, MailSink, NatsServer, eventually};

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn start(server: &NatsServer, data_dir: &Path, smtp_url: &str) -> Lifecycle {
    start_in(test_support::context(), server, data_dir, smtp_url)
}

fn start_in(context: Context, server: &NatsServer, data_dir: &Path, smtp_url: &str) -> Lifecycle {
    let lifecycle = context.lifecycle.clone();
    let settings = Settings {
        data_dir: data_dir.to_owned(),
        nats: server.settings("notification"),
        notification: NotificationSettings {
            database: String::new(),
            smtp_url: smtp_url.into(),
            mail_dir: String::new(),
            from: "Newswire <newswire@localhost>".to_owned(),
            mail_domain: "example.org".to_owned(),
        },
    };
    lifecycle.run("notification", notification::run(settings, context));
    lifecycle
}

fn files(data_dir: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(data_dir.join("mail")) else { return Vec::new() };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "eml"))
        .filter_map(|path| fs::read_to_string(path).ok())
        .collect()
}

async fn arrived(count: usize, messages: impl Fn() -> Vec<String>) -> Vec<String> {
    eventually(&format!("{count} messages"), || async {
        let messages = messages();
        (messages.len() >= count).then_some(messages)
    })
    .await
}

#[tokio::test]
async fn the_author_hears_of_every_event_by_mail() {
    let (server, folder, sink) =
        (NatsServer::provisioned().await, folder(), MailSink::start().await);
    let lifecycle = start(&server, folder.path(), &sink.url());
    let writer = ArticleWriter::new(&server).await;
    let mut article = writer.create("ann", "Two\r\nBcc: lines", "C").await;
    writer.update(&mut article, "T2", "C2").await;
    writer.delete(&mut article).await;
    let messages = arrived(3, || sink.messages()).await;
    for what in ["published: Two Bcc: lines", "changed: T2", "deleted: T"] {
        let subject = format!("Subject: Your article was {what}");
        let of_it: Vec<_> = messages.iter().filter(|text| text.contains(&subject)).collect();
        assert_eq!(of_it.len(), 1, "{subject} in {messages:#?}");
        assert!(of_it[0].contains("To: ann@example.org"), "{}", of_it[0]);
    }
    lifecycle.finish().await.expect("an orderly end");
}

#[tokio::test]
async fn a_mail_server_that_is_away_is_waited_for() {
    let (server, folder) = (NatsServer::provisioned().await, folder());
    let port = test_support::free_port();
    let lifecycle = start(&server, folder.path(), &format!("smtp://127.0.0.1:{port}"));
    ArticleWriter::new(&server).await.create("ann", "T", "C").await;
    let sink = MailSink::start_on(port).await;
    arrived(1, || sink.messages()).await;
    lifecycle.finish().await.expect("an orderly end");
}

#[tokio::test]
async fn nothing_is_sent_twice_when_everything_is_delivered_again() {
    let (server, folder, sink) =
        (NatsServer::provisioned().await, folder(), MailSink::start().await);
    let writer = ArticleWriter::new(&server).await;
    for number in 0..20 {
        writer.create("ann", &number.to_string(), "C").await;
    }
    let lifecycle = start(&server, folder.path(), &sink.url());
    arrived(20, || sink.messages()).await;
    lifecycle.finish().await.expect("an orderly end");
    // A durable that is gone starts from the first event.
    server.delete_consumer("EVENTS", "notification").await;
    let lifecycle = start(&server, folder.path(), &sink.url());
    writer.create("ann", "the last", "C").await;
    arrived(21, || sink.messages()).await;
    lifecycle.finish().await.expect("an orderly end");
    assert_eq!(sink.messages().len(), 21);
}

#[tokio::test]
async fn without_a_mail_server_messages_are_files_and_a_lost_record_doubles_none() {
    let (server, folder) = (NatsServer::provisioned().await, folder());
    let writer = ArticleWriter::new(&server).await;
    for number in 0..5 {
        writer.create("ann@example.com", &number.to_string(), "C").await;
    }
    let lifecycle = start(&server, folder.path(), "");
    let messages = arrived(5, || files(folder.path())).await;
    assert!(messages.iter().all(|text| text.contains("To: ann@example.com")));
    lifecycle.finish().await.expect("an orderly end");
    server.delete_consumer("EVENTS", "notification").await;
    for file in ["notifications.db", "notifications.db-wal", "notifications.db-shm"] {
        // Whichever of them are there.
        let _ = fs::remove_file(folder.path().join(file));
    }
    let lifecycle = start(&server, folder.path(), "");
    writer.create("ann", "the last", "C").await;
    arrived(6, || files(folder.path())).await;
    lifecycle.finish().await.expect("an orderly end");
    assert_eq!(files(folder.path()).len(), 6);
}
