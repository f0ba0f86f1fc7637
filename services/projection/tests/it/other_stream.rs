//! A read model under a stream that it was not made of.

use std::path::Path;

use contracts::article::{GetArticle, ListArticles};
use eventsourcing::{AggregateId, QueryReply};
use messaging::{RequestError, ServiceError};
use projection::ProjectionSettings;
use test_support::{ArticleWriter, NatsServer, PostgresServer};

use crate::service::{Admin, TestService, folder};

fn settings(database: &str, rebuild: bool) -> ProjectionSettings {
    ProjectionSettings {
        database: database.into(),
        rebuild_on_foreign_stream: rebuild,
        ..ProjectionSettings::default()
    }
}

/// Fills the read model from a stream that nobody sees again; an article of it.
async fn fill(database: &str, data_dir: &Path) -> AggregateId {
    let server = NatsServer::provisioned().await;
    let service = TestService::start_with(&server, data_dir, settings(database, true)).await;
    let writer = ArticleWriter::new(&server).await;
    let article = writer.create("ann", "lost", "C").await;
    let end = writer.create("ann", "lost as well", "C").await.head.position;
    assert!(matches!(service.get(article.id, end).await, QueryReply::Answered(_)));
    service.stop().await;
    article.id
}

async fn is_rebuilt(database: &str) {
    let folder = folder();
    let mut lost = vec![fill(database, folder.path()).await];
    // Shorter, longer, and of the same length as the one before.
    for length in [1, 4, 4] {
        let server = NatsServer::provisioned().await;
        let writer = ArticleWriter::new(&server).await;
        let (mut ids, mut end) = (Vec::new(), 0);
        for _ in 0..length {
            let written = writer.create("ann", "T", "C").await;
            ids.push(written.id);
            end = written.head.position;
        }
        let settings = settings(database, true);
        let service = TestService::start_with(&server, folder.path(), settings).await;
        for id in lost.drain(..) {
            assert!(matches!(service.get(id, end).await, QueryReply::Refused(_)));
        }
        let page = service.list(ListArticles::default(), end).await;
        let found: Vec<_> = page.items.iter().map(|item| item.id).rev().collect();
        assert_eq!(found, ids);
        service.stop().await;
        lost = ids;
    }
}

#[tokio::test]
async fn a_sqlite_read_model_of_another_stream_is_rebuilt_by_itself() {
    is_rebuilt("").await;
}

#[tokio::test]
async fn a_postgres_read_model_of_another_stream_is_rebuilt_by_itself() {
    let postgres = PostgresServer::start().await;
    is_rebuilt(&postgres.url()).await;
}

#[tokio::test]
async fn a_setting_leaves_the_rebuild_to_an_operator_and_nothing_is_answered_until_then() {
    let folder = folder();
    let lost = fill("", folder.path()).await;
    let server = NatsServer::provisioned().await;
    let kept = ArticleWriter::new(&server).await.create("ann", "T", "C").await;
    let reason = "belongs to another stream";
    let settings = settings("", false);
    let service = TestService::start_unready(&server, folder.path(), settings, reason).await;
    for id in [lost, kept.id] {
        let answer = service.ask(GetArticle { id }, 0).await;
        let another = ServiceError::AnotherStream;
        let refused =
            matches!(&answer, Err(RequestError::Service { error, .. }) if *error == another);
        assert!(refused, "{answer:?}");
    }
    Admin::new(&server).await.rebuild(false, false).await;
    service.ready().await;
    assert!(matches!(service.get(kept.id, kept.head.position).await, QueryReply::Answered(_)));
    assert!(matches!(service.get(lost, kept.head.position).await, QueryReply::Refused(_)));
    service.stop().await;
}
