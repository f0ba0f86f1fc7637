//! What the service needs of its database, and says while it lacks it.

use projection::ProjectionSettings;
use service_kit::{Health, health::State};
use test_support::{ArticleWriter, NatsServer, PostgresServer, eventually};

use crate::service::{TestService, folder, run};

/// Waits until commits are possible, or are not.
async fn commits(health: &Health, possible: bool) {
    eventually(&format!("commits to be possible: {possible}"), || async {
        let is_ready = match health.snapshot().remove("projection: commits")? {
            State::NotReady(reason) if reason == "starting" => return None,
            state => state.is_ready(),
        };
        (is_ready == possible).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_database_that_is_away_is_said_and_its_return_is_noticed() {
    let (nats, mut postgres) = (NatsServer::provisioned().await, PostgresServer::start().await);
    let writer = ArticleWriter::new(&nats).await;
    let settings =
        ProjectionSettings { database: postgres.url().into(), ..ProjectionSettings::default() };
    let service = TestService::start_with(&nats, folder().path(), settings).await;
    for _ in 0..2 {
        postgres.kill().await;
        let article = writer.create("ann", "meanwhile", "C").await;
        commits(&service.context.health, false).await;
        postgres.restart().await;
        commits(&service.context.health, true).await;
        eventually("the service to be ready", || async {
            service.context.health.is_ready().then_some(())
        })
        .await;
        eventually("the article to be there", || async {
            let get = contracts::article::GetArticle { id: article.id };
            service.ask(get, article.head.position).await.ok()
        })
        .await;
    }
    service.stop().await;
}

#[tokio::test]
async fn a_folder_for_the_files_is_made() {
    let (nats, dir) = (NatsServer::provisioned().await, folder());
    let data = dir.path().join("not/there/yet");
    TestService::start(&nats, &data).await.stop().await;
    assert!(data.join("read-models.db").is_file());
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named() {
    let (nats, dir) = (NatsServer::provisioned().await, folder());
    let data = dir.path().join("file/data");
    std::fs::write(dir.path().join("file"), "").expect("written");
    let context = run(&nats, &data, ProjectionSettings::default());
    context.lifecycle.stop_token().cancelled().await;
    let failure = format!("{:#}", context.lifecycle.finish().await.expect_err("a failure"));
    assert!(
        failure.contains(&format!("creating the folder {} failed", data.display())),
        "{failure}"
    );
}
