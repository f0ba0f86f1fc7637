//! A read model under a stream that it was not made of.

use std::path::Path;

use contracts::article::{GetArticle, ListArticles};
use eventsourcing::{AggregateId, QueryReply};
use messaging::{RequestError, ServiceError};
use projection::{ProjectionSettings, control::State};
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
    Admin::new(&server).await.rebuild_all().await;
    service.ready().await;
    assert!(matches!(service.get(kept.id, kept.head.position).await, QueryReply::Answered(_)));
    assert!(matches!(service.get(lost, kept.head.position).await, QueryReply::Refused(_)));
    service.stop().await;
}

/// Gives the live generation the shape that it had before it knew of streams.
async fn age(database: &str, folder: &Path) {
    let forget = [
        "ALTER TABLE progress DROP COLUMN stream",
        "ALTER TABLE progress DROP COLUMN stored_at",
        "DELETE FROM _sqlx_migrations WHERE version = 5",
    ];
    if database.is_empty() {
        let live = format!("sqlite:{}", folder.join("read-models.1.db").display());
        let live = sqlx::SqlitePool::connect(&live).await.expect("the live generation");
        for statement in forget {
            sqlx::query(statement).execute(&live).await.expect("forgotten");
        }
        live.close().await;
    } else {
        let live = sqlx::PgPool::connect(database).await.expect("the database");
        let schema: String = sqlx::query_scalar(
            "SELECT table_schema::text FROM information_schema.columns WHERE table_name = 'progress' AND column_name = 'stored_at'
             AND table_schema NOT LIKE '%comments%'",
        )
        .fetch_one(&live)
        .await
        .expect("one generation");
        let mut connection = live.acquire().await.expect("connected");
        sqlx::query(sqlx::AssertSqlSafe(format!("SET search_path TO {schema}")))
            .execute(&mut *connection)
            .await
            .expect("set");
        for statement in forget {
            sqlx::query(statement).execute(&mut *connection).await.expect("forgotten");
        }
    }
}

/// A read model of the release before is adopted where it fits, with what it has, and rebuilt where it does not.
async fn is_adopted_once(database: &str) {
    let (server, folder) = (NatsServer::provisioned().await, folder());
    let service = TestService::start_with(&server, folder.path(), settings(database, true)).await;
    let writer = ArticleWriter::new(&server).await;
    let kept = writer.create("ann", "kept", "C").await;
    assert!(matches!(service.get(kept.id, kept.head.position).await, QueryReply::Answered(_)));
    service.stop().await;
    age(database, folder.path()).await;
    let service = TestService::start_with(&server, folder.path(), settings(database, true)).await;
    assert!(matches!(service.get(kept.id, kept.head.position).await, QueryReply::Answered(_)));
    assert_eq!(Admin::new(&server).await.states().await, [(1, State::Live)], "it is adopted");
    service.stop().await;
    age(database, folder.path()).await;
    let other = NatsServer::provisioned().await;
    let written = ArticleWriter::new(&other).await.create("ann", "other", "C").await;
    let service = TestService::start_with(&other, folder.path(), settings(database, true)).await;
    assert!(matches!(service.get(written.id, 1).await, QueryReply::Answered(_)));
    assert!(matches!(service.get(kept.id, 1).await, QueryReply::Refused(_)));
    service.stop().await;
}

#[tokio::test]
async fn a_sqlite_read_model_of_the_release_before_is_adopted() {
    is_adopted_once("").await;
}

#[tokio::test]
async fn a_postgres_read_model_of_the_release_before_is_adopted() {
    let postgres = PostgresServer::start().await;
    is_adopted_once(&postgres.url()).await;
}
