//! The article service on real servers: commands in, events out, whatever keeps the events.

mod bounds;
mod first_release;
mod measured;
mod races;
mod slugs;
mod snapshots;

use std::time::Duration;

use article::{ArticleSettings, Settings, StoreKind};
use contracts::article::{Article, CreateArticle, DeleteArticle, UpdateArticle};
use eventsourcing::{
    Accepted, Actor, Command, CommandEnvelope, EventStore, Head, RefusalKind, Reply, StreamId,
};
use messaging::{
    FingerprintSettings, JetStreamEventStore, RequestClient, RequestError, ServiceError,
};
use service_kit::Lifecycle;
use test_support::{NatsServer, PostgresServer, ready, user};

struct TestService {
    server: NatsServer,
    article: ArticleSettings,
    /// Ends with the value.
    postgres: Option<PostgresServer>,
    client: RequestClient,
    lifecycle: Lifecycle,
}

impl TestService {
    async fn on_jetstream() -> Self {
        Self::start(NatsServer::provisioned().await, ArticleSettings::default(), None).await
    }

    async fn on_postgres() -> Self {
        let postgres = PostgresServer::start().await;
        let settings = ArticleSettings {
            store: StoreKind::Postgres,
            database: postgres.url().into(),
            max_connections: 4.try_into().expect("not zero"),
            ..ArticleSettings::default()
        };
        Self::start(NatsServer::provisioned().await, settings, Some(postgres)).await
    }

    /// Another process in the place of this one, which remembers nothing; `meanwhile` happens before it starts.
    async fn replace(self, meanwhile: impl AsyncFnOnce(&NatsServer)) -> Self {
        self.lifecycle.finish().await.expect("an orderly end");
        meanwhile(&self.server).await;
        Self::start(self.server, self.article, self.postgres).await
    }

    async fn start(
        server: NatsServer,
        article: ArticleSettings,
        postgres: Option<PostgresServer>,
    ) -> Self {
        let context = test_support::context();
        let settings = settings(&server, &article);
        context.lifecycle.run("article", article::run(settings, context.clone()));
        ready(&context).await;
        let connection = server.connect("gateway").await;
        let client = RequestClient::new(connection, Duration::from_secs(5));
        Self { server, article, postgres, client, lifecycle: context.lifecycle }
    }

    /// A second process beside this one, which takes its share of the commands.
    async fn another(&self) -> Lifecycle {
        let context = test_support::context();
        let settings = settings(&self.server, &self.article);
        context.lifecycle.run("article", article::run(settings, context.clone()));
        ready(&context).await;
        context.lifecycle
    }

    async fn send<C: Command>(&self, command: CommandEnvelope<C>) -> Reply<C::Output> {
        self.client.send(command).await.expect("a reply")
    }

    async fn accept<C: Command>(&self, command: CommandEnvelope<C>) -> Accepted<C::Output> {
        match self.send(command).await {
            Reply::Accepted(accepted) => accepted,
            Reply::Refused(refusal) => panic!("refused: {refusal}"),
        }
    }

    async fn create(&self) -> Article {
        self.accept(by_ann(create())).await.state
    }
}

fn settings(server: &NatsServer, article: &ArticleSettings) -> Settings {
    let fingerprint = FingerprintSettings { key: "0123456789abcdef0123456789abcdef".into() };
    Settings { nats: server.settings("article"), fingerprint, article: article.clone() }
}

fn create() -> CreateArticle {
    CreateArticle { title: "T".to_owned(), content: "C".to_owned(), ..CreateArticle::default() }
}

fn update(article: &Article, title: &str) -> UpdateArticle {
    UpdateArticle {
        id: article.id,
        title: title.to_owned(),
        content: "C".to_owned(),
        slug: None,
        tags: None,
    }
}

fn by_ann<C: Command>(data: C) -> CommandEnvelope<C> {
    CommandEnvelope::new(Actor { user_id: user("ann"), roles: Vec::new() }, data)
}

/// Runs each test on each store.
macro_rules! on_each_store {
    ($($test:ident,)+) => {
        mod on_jetstream {
            $(#[tokio::test]
            async fn $test() {
                super::$test(super::TestService::on_jetstream().await).await;
            })+
        }

        mod on_postgres {
            $(#[tokio::test]
            async fn $test() {
                super::$test(super::TestService::on_postgres().await).await;
            })+
        }
    };
}
use on_each_store;

on_each_store! {
    an_event_is_a_cloudevent_on_the_subject_of_its_article,
    a_repeat_is_answered_alike_after_later_changes_and_stores_nothing,
    of_racing_writers_with_one_version_one_wins,
    without_an_expected_version_all_racing_writers_succeed,
    one_key_for_two_articles_is_two_commands,
    refusals_store_nothing,
    a_command_after_its_deadline_is_not_executed,
    an_article_is_created_changed_and_deleted,
}

async fn an_event_is_a_cloudevent_on_the_subject_of_its_article(service: TestService) {
    let mut command = by_ann(create());
    command.traceparent =
        Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned());
    let accepted = service.accept(command.clone()).await;
    let store = JetStreamEventStore::new(service.server.connect("article").await);
    let stream = StreamId::new("article", accepted.aggregate_id);
    let events = store.load(&stream, Head::default()).await.expect("loaded");
    let event = &events[0].event;
    assert_eq!(
        (event.event_type.as_str(), event.schema_version, event.version),
        ("article.created", 2, 1)
    );
    assert_eq!(event.id, command.id.event_id(accepted.aggregate_id, 0));
    assert_eq!(event.time, command.issued_at);
    let metadata = &event.metadata;
    assert_eq!(metadata.correlation_id, command.correlation_id);
    assert_eq!((metadata.causation_id, metadata.user_id.as_str()), (command.id, "ann"));
    assert_eq!(metadata.traceparent, command.traceparent);
    service.lifecycle.finish().await.expect("an orderly end");
}

async fn a_repeat_is_answered_alike_after_later_changes_and_stores_nothing(service: TestService) {
    let article = service.create().await;
    let command = by_ann(update(&article, "mine"));
    let first = service.accept(command.clone()).await;
    service.accept(by_ann(update(&article, "later"))).await;
    let again = service.accept(command.clone()).await;
    assert_eq!(again, Accepted { repeated: true, ..first });
    let other = CommandEnvelope { data: update(&article, "other"), ..command };
    let Reply::Refused(refusal) = service.send(other).await else { panic!("accepted") };
    assert_eq!(refusal.kind, RefusalKind::Reused);
    assert_eq!(service.server.messages_in("EVENTS").await, 3);
    service.lifecycle.finish().await.expect("an orderly end");
}

async fn of_racing_writers_with_one_version_one_wins(service: TestService) {
    let article = service.create().await;
    let race = |number: u32| {
        let expected_version = Some(1);
        let command = by_ann(update(&article, &number.to_string()));
        service.send(CommandEnvelope { expected_version, ..command })
    };
    let replies = futures_util::future::join_all((0..16).map(race)).await;
    let winners = replies.iter().filter(|reply| matches!(reply, Reply::Accepted(_))).count();
    assert_eq!(winners, 1);
    for reply in replies {
        if let Reply::Refused(refusal) = reply {
            assert_eq!(
                (refusal.kind, refusal.current_version),
                (RefusalKind::VersionMismatch, Some(2))
            );
        }
    }
    service.lifecycle.finish().await.expect("an orderly end");
}

async fn without_an_expected_version_all_racing_writers_succeed(service: TestService) {
    let article = service.create().await;
    let race = |number: u32| service.accept(by_ann(update(&article, &number.to_string())));
    let accepted = futures_util::future::join_all((0..64).map(race)).await;
    let mut versions: Vec<_> = accepted.iter().map(|accepted| accepted.version).collect();
    versions.sort_unstable();
    assert_eq!(versions, (2..=65).collect::<Vec<_>>());
    service.lifecycle.finish().await.expect("an orderly end");
}

async fn one_key_for_two_articles_is_two_commands(service: TestService) {
    let (one, other) = (service.create().await, service.create().await);
    let command = by_ann(update(&one, "T1"));
    let same_id = CommandEnvelope { data: update(&other, "T1"), ..command.clone() };
    let (first, second) = (service.accept(command).await, service.accept(same_id).await);
    assert_eq!((first.version, second.version, second.repeated), (2, 2, false));
    assert_eq!(service.server.messages_in("EVENTS").await, 4);
    service.lifecycle.finish().await.expect("an orderly end");
}

async fn refusals_store_nothing(service: TestService) {
    let article = service.create().await;
    let bob = Actor { user_id: user("bob"), roles: Vec::new() };
    let nobody = DeleteArticle { id: by_ann(create()).id.creates("article") };
    for (reply, kind) in [
        (service.send(by_ann(update(&article, " "))).await, RefusalKind::Invalid),
        (
            service.send(CommandEnvelope::new(bob, update(&article, "T"))).await,
            RefusalKind::Forbidden,
        ),
        (service.send(by_ann(nobody)).await, RefusalKind::NotFound),
    ] {
        assert!(matches!(&reply, Reply::Refused(refusal) if refusal.kind == kind), "{reply:?}");
    }
    assert_eq!(service.server.messages_in("EVENTS").await, 1);
    service.lifecycle.finish().await.expect("an orderly end");
}

async fn a_command_after_its_deadline_is_not_executed(service: TestService) {
    let mut command = by_ann(create());
    command.deadline = Some(command.issued_at - Duration::from_secs(1));
    let result = service.client.send(command).await;
    let late = ServiceError::DeadlineExceeded;
    assert!(matches!(result, Err(RequestError::Service { error, .. }) if error == late));
    assert_eq!(service.server.messages_in("EVENTS").await, 0);
    service.lifecycle.finish().await.expect("an orderly end");
}

async fn an_article_is_created_changed_and_deleted(service: TestService) {
    let created = service.accept(by_ann(create())).await;
    let article = &created.state;
    let updated = service.accept(by_ann(update(article, "T2"))).await;
    assert_eq!((updated.version, updated.state.title.as_str()), (2, "T2"));
    let expected_version = Some(1);
    let stale = CommandEnvelope { expected_version, ..by_ann(DeleteArticle { id: article.id }) };
    let Reply::Refused(refusal) = service.send(stale).await else { panic!("accepted") };
    assert_eq!(refusal.kind, RefusalKind::VersionMismatch);
    let deleted = service.accept(by_ann(DeleteArticle { id: article.id })).await;
    let Reply::Refused(refusal) = service.send(by_ann(update(article, "T3"))).await else {
        panic!("accepted")
    };
    assert_eq!(refusal.kind, RefusalKind::Gone);
    // Positions are the stream's, whoever keeps the events.
    assert_eq!([created.position, updated.position, deleted.position], [1, 2, 3]);
    service.lifecycle.finish().await.expect("an orderly end");
}
