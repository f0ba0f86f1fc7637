use contracts::article::ListArticles;
use eventsourcing::{QueryReply, RefusalKind};
use messaging::{RequestError, ServiceError};
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use test_support::{ArticleWriter, NatsServer, eventually, user};

use crate::service::{TestService, folder};

#[tokio::test]
async fn an_article_is_read_as_it_was_written_and_gone_when_deleted() {
    let (server, folder) = (NatsServer::provisioned().await, folder());
    let service = TestService::start(&server, folder.path()).await;
    let writer = ArticleWriter::new(&server).await;
    let mut written = writer.create("ann", "“T”\u{1}", "C\r\n🦀").await;
    let QueryReply::Answered(answer) = service.get(written.id, written.head.position).await else {
        panic!("refused")
    };
    assert_eq!(answer.position, written.head.position);
    let article = answer.data;
    assert_eq!((article.title.as_str(), article.content.as_str()), ("“T”\u{1}", "C\r\n🦀"));
    assert_eq!((article.version, article.author_id.as_str()), (1, "ann"));
    writer.update(&mut written, "T2", "C2").await;
    let QueryReply::Answered(answer) = service.get(written.id, written.head.position).await else {
        panic!("refused")
    };
    assert_eq!((answer.data.version, answer.data.title.as_str()), (2, "T2"));
    assert_eq!(answer.data.created_at, article.created_at);
    writer.delete(&mut written).await;
    let QueryReply::Refused(refusal) = service.get(written.id, written.head.position).await else {
        panic!("answered")
    };
    assert_eq!(refusal.kind, RefusalKind::Gone);
    let nobody = eventsourcing::AggregateId::from(uuid::Uuid::now_v7());
    let QueryReply::Refused(refusal) = service.get(nobody, 0).await else { panic!("answered") };
    assert_eq!(refusal.kind, RefusalKind::NotFound);
    service.stop().await;
}

#[tokio::test]
async fn pages_are_newest_first_complete_and_stable_while_articles_appear() {
    let (server, folder) = (NatsServer::provisioned().await, folder());
    let service = TestService::start(&server, folder.path()).await;
    let writer = ArticleWriter::new(&server).await;
    let mut position = 0;
    for number in 0..25 {
        let author = if number % 5 == 0 { "bob" } else { "ann" };
        position = writer.create(author, &number.to_string(), "C").await.head.position;
    }
    let (mut titles, mut cursor) = (Vec::new(), None);
    loop {
        let list =
            ListArticles { limit: Some(10), cursor: cursor.take(), ..ListArticles::default() };
        let page = service.list(list, position).await;
        titles.extend(page.items.into_iter().map(|item| item.title));
        position = writer.create("eve", "appears meanwhile", "C").await.head.position;
        let Some(next) = page.next else { break };
        cursor = Some(next);
    }
    assert_eq!(titles, (0..25).rev().map(|number| number.to_string()).collect::<Vec<_>>());
    let bobs = ListArticles { author: Some(user("bob")), ..ListArticles::default() };
    let titles: Vec<_> =
        service.list(bobs, position).await.items.into_iter().map(|item| item.title).collect();
    assert_eq!(titles, ["20", "15", "10", "5", "0"]);
    service.stop().await;
}

#[tokio::test]
async fn a_wrong_limit_or_cursor_is_refused_with_its_name() {
    let (server, folder) = (NatsServer::provisioned().await, folder());
    let service = TestService::start(&server, folder.path()).await;
    for (field, list) in [
        ("limit", ListArticles { limit: Some(0), ..ListArticles::default() }),
        ("limit", ListArticles { limit: Some(101), ..ListArticles::default() }),
        ("cursor", ListArticles { cursor: Some("x".to_owned()), ..ListArticles::default() }),
    ] {
        match service.ask(list, 0).await.expect("a reply") {
            QueryReply::Refused(refusal) => assert_eq!(refusal.errors[0].field, field),
            QueryReply::Answered(_) => panic!("answered"),
        }
    }
    service.stop().await;
}

#[tokio::test]
async fn a_position_behind_the_end_of_the_stream_is_of_another_one() {
    let (server, folder) = (NatsServer::provisioned().await, folder());
    let service = TestService::start(&server, folder.path()).await;
    let end = ArticleWriter::new(&server).await.create("ann", "T", "C").await.head.position;
    let QueryReply::Refused(refusal) =
        service.ask(ListArticles::default(), end + 1).await.expect("a reply")
    else {
        panic!("answered")
    };
    assert_eq!(refusal.kind, RefusalKind::Conflict);
    assert_eq!(refusal.code, "position-of-another-stream");
    let QueryReply::Answered(answer) =
        service.ask(ListArticles::default(), end).await.expect("a reply")
    else {
        panic!("refused")
    };
    assert_eq!(refusal.stream.as_deref(), answer.stream.as_ref());
    service.stop().await;
}

#[tokio::test]
async fn a_read_that_asks_for_more_than_the_tables_have_hears_so() {
    let (server, folder) = (NatsServer::provisioned().await, folder());
    let service = TestService::start(&server, folder.path()).await;
    let writer = ArticleWriter::new(&server).await;
    let first = writer.create("ann", "T", "C").await.head.position;
    service.list(ListArticles::default(), first).await;
    // Another process writes to the file, and does not end.
    let file = SqliteConnectOptions::new().filename(folder.path().join("read-models.1.db"));
    let mut other = SqliteConnection::connect_with(&file).await.expect("opened");
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.expect("locked");
    let second = writer.create("ann", "T", "C").await.head.position;
    let reply = service.ask(ListArticles::default(), second).await;
    let behind = ServiceError::ProjectionBehind;
    assert!(
        matches!(reply, Err(RequestError::Service { error, .. }) if error == behind),
        "{reply:?}"
    );
    sqlx::query("ROLLBACK").execute(&mut other).await.expect("free again");
    eventually("the tables to follow", || async {
        service.ask(ListArticles::default(), second).await.ok()
    })
    .await;
    service.stop().await;
}

#[tokio::test]
async fn a_restart_goes_on_and_a_lost_database_is_built_again() {
    let (server, kept, fresh) = (NatsServer::provisioned().await, folder(), folder());
    let writer = ArticleWriter::new(&server).await;
    let mut article = writer.create("ann", "first", "C").await;
    for folder in [&kept, &kept, &fresh] {
        let service = TestService::start(&server, folder.path()).await;
        writer.update(&mut article, "again", "C").await;
        let last = writer.create("ann", "another", "C").await;
        let page = service.list(ListArticles::default(), last.head.position).await;
        let versions: Vec<_> = page.items.iter().map(|item| item.version).collect();
        assert_eq!(versions.last(), Some(&article.head.version));
        service.stop().await;
    }
}

#[tokio::test]
async fn an_unreadable_event_parks_its_article_and_no_other() {
    let (server, folder) = (NatsServer::provisioned().await, folder());
    let writer = ArticleWriter::new(&server).await;
    let mut poisoned = writer.create("ann", "before", "C").await;
    writer.unknown(&mut poisoned).await;
    writer.update(&mut poisoned, "after", "C").await;
    let fine = writer.create("bob", "fine", "C").await;
    let service = TestService::start(&server, folder.path()).await;
    let page = service.list(ListArticles::default(), fine.head.position).await;
    let titles: Vec<_> = page.items.iter().map(|item| item.title.as_str()).collect();
    assert_eq!(titles, ["fine", "before"]);
    assert_eq!(server.messages_in("DEAD_LETTERS").await, 2);
    service.stop().await;
}
