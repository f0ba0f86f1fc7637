use std::time::Duration;

use event_store_postgres::{Database, Namespace};
use eventsourcing::{
    Accepted, Actor, Command, CommandEnvelope, OperationId, Query, QueryEnvelope, QueryReply,
    RefusalKind, Reply, history::At,
};
use messaging::{CommandQueue, RequestClient};
use service_kit::Lifecycle;
use test_support::{
    NatsServer, PostgresServer, eventually, metric, ready,
    toys::{
        BreakToy, Gadget, GetToyAt, GetToyHistory, MakeGadget, MakeToy, RenameToy, Toy, ToyView,
    },
    user,
};

use crate::{CommandService, Endpoints};

/// A process of the service of toys and gadgets, and a sender.
struct TestService {
    nats: NatsServer,
    lifecycle: Lifecycle,
    client: RequestClient,
    /// Ends with the value.
    _postgres: Option<PostgresServer>,
}

impl TestService {
    async fn start(postgres: Option<PostgresServer>) -> Self {
        // Measures from here on.
        let _ = metric("nats_connected");
        let nats = NatsServer::provisioned().await;
        let context = test_support::context();
        let database = postgres.as_ref().map(|server| {
            let connections = 4.try_into().expect("not zero");
            Database::parse(&server.url(), Namespace::of("toy"), connections).expect("a database")
        });
        let toys = Endpoints::<Toy>::new()
            .command::<MakeToy>()
            .command::<RenameToy>()
            .command::<BreakToy>()
            .past::<GetToyHistory>()
            .past::<GetToyAt>();
        let service = CommandService::new("toy")
            .aggregate(toys)
            .aggregate(Endpoints::<Gadget>::new().command::<MakeGadget>());
        let (settings, process) = (nats.settings("toy"), context.clone());
        context
            .lifecycle
            .run("toy", async move { service.run(&settings, database, process).await });
        ready(&context).await;
        let client = RequestClient::new(nats.connect("gateway").await, Duration::from_secs(5));
        Self { nats, lifecycle: context.lifecycle, client, _postgres: postgres }
    }

    async fn send<C: Command>(&self, data: C) -> Reply<C::Output> {
        self.client.send(by_ann(data)).await.expect("a reply")
    }

    async fn accept<C: Command>(&self, data: C) -> Accepted<C::Output> {
        match self.send(data).await {
            Reply::Accepted(accepted) => accepted,
            Reply::Refused(refusal) => panic!("refused: {refusal}"),
        }
    }

    async fn ask<Q: Query>(&self, query: Q) -> QueryReply<Q::Answer> {
        self.client.ask(&QueryEnvelope::new(query)).await.expect("a reply")
    }

    async fn make(&self) -> ToyView {
        self.accept(MakeToy { name: "ball".to_owned() }).await.state
    }
}

fn by_ann<C: Command>(data: C) -> CommandEnvelope<C> {
    CommandEnvelope::new(Actor { user_id: user("ann"), roles: Vec::new() }, data)
}

/// Runs each test with the events in the stream and with the events in PostgreSQL.
macro_rules! on_each_store {
    ($($test:ident,)+) => {
        mod on_jetstream {
            $(#[tokio::test]
            async fn $test() {
                super::$test(super::TestService::start(None).await).await;
            })+
        }

        mod on_postgres {
            $(#[tokio::test]
            async fn $test() {
                let postgres = test_support::PostgresServer::start().await;
                super::$test(super::TestService::start(Some(postgres)).await).await;
            })+
        }
    };
}

on_each_store! {
    one_service_owns_aggregates_of_several_kinds,
    commands_of_each_kind_wait_in_a_queue_of_their_own,
    the_past_is_told_to_those_who_may_know_it,
}

async fn one_service_owns_aggregates_of_several_kinds(service: TestService) {
    let toy = service.make().await;
    let renamed = service.accept(RenameToy { id: toy.id, name: "top".to_owned() }).await;
    assert_eq!((renamed.state.name.as_str(), renamed.version), ("top", 2));
    let gadget = service.accept(MakeGadget {}).await;
    assert_eq!((gadget.state, gadget.position), (1, 3));
    let refused = service.send(MakeToy { name: String::new() }).await;
    assert!(matches!(refused, Reply::Refused(refusal) if refusal.kind == RefusalKind::Invalid));
    assert_eq!(service.nats.events().await, 3);
    let counted = |command: &str, outcome: &str| {
        metric(&format!("toy_commands_total{{command=\"{command}\",outcome=\"{outcome}\"}}"))
    };
    assert!(counted("rename", "failed").is_some(), "a rate has a first value");
    service.lifecycle.finish().await.expect("an orderly end");
}

async fn commands_of_each_kind_wait_in_a_queue_of_their_own(service: TestService) {
    let queue = CommandQueue::new(service.nats.connect("gateway").await);
    let (toy, gadget) = (by_ann(MakeToy { name: "ball".to_owned() }), by_ann(MakeGadget {}));
    let operations = [
        OperationId::of(toy.id, toy.aggregate_id()),
        OperationId::of(gadget.id, gadget.aggregate_id()),
    ];
    queue.enqueue(toy).await.expect("stored");
    queue.enqueue(gadget).await.expect("stored");
    for id in operations {
        eventually("the command to be executed", || async {
            let operation = queue.operation(id).await.ok()??;
            operation.outcome?.reply
        })
        .await;
    }
    assert_eq!(service.nats.events().await, 2);
    service.lifecycle.finish().await.expect("an orderly end");
}

async fn the_past_is_told_to_those_who_may_know_it(service: TestService) {
    let toy = service.make().await;
    service.accept(RenameToy { id: toy.id, name: "top".to_owned() }).await;
    let QueryReply::Answered(then) = service.ask(GetToyAt { id: toy.id, at: At::Version(1) }).await
    else {
        panic!("refused")
    };
    assert_eq!((then.data, then.position), (toy.clone(), 2));
    let history = GetToyHistory { id: toy.id, after: Some(1), limit: None };
    let QueryReply::Answered(page) = service.ask(history.clone()).await else { panic!("refused") };
    let change = &page.data.items[0].changes[0];
    assert_eq!((change.from.as_str(), change.to.as_str()), (Some("ball"), Some("top")));
    service.accept(BreakToy { id: toy.id }).await;
    let QueryReply::Refused(refusal) = service.ask(history.clone()).await else {
        panic!("answered")
    };
    assert_eq!(refusal.kind, RefusalKind::Gone);
    let actor = by_ann(MakeGadget {}).actor;
    let hers = QueryEnvelope { actor: Some(actor), ..QueryEnvelope::new(history) };
    let reply = service.client.ask(&hers).await.expect("a reply");
    let QueryReply::Answered(page) = reply else { panic!("refused") };
    assert_eq!(page.data.items.len(), 2);
    service.lifecycle.finish().await.expect("an orderly end");
}
