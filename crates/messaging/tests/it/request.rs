use std::{sync::Arc, time::Duration};

use contracts::article::{Article, CreateArticle, GetArticle};
use eventsourcing::{
    Accepted, Actor, Answer, CommandEnvelope, QueryEnvelope, QueryReply, Refusal, RefusalKind,
    Reply,
};
use messaging::{RequestClient, RequestError, RequestServer, ServiceError};
use serde_json::json;
use test_support::{NatsServer, user};
use time::OffsetDateTime;
use tokio::sync::{Mutex, Notify};

fn create() -> CommandEnvelope<CreateArticle> {
    let actor = Actor { user_id: user("ann"), roles: vec!["editor".to_owned()] };
    let data = CreateArticle {
        title: "T".to_owned(),
        content: "C".to_owned(),
        ..CreateArticle::default()
    };
    CommandEnvelope::new(actor, data)
}

fn article(command: &CommandEnvelope<CreateArticle>) -> Article {
    Article {
        id: command.aggregate_id(),
        title: command.data.title.clone(),
        content: command.data.content.clone(),
        author_id: command.actor.user_id.clone(),
        slug: None,
        tags: Vec::new(),
        version: 1,
        created_at: OffsetDateTime::UNIX_EPOCH,
        updated_at: OffsetDateTime::UNIX_EPOCH,
    }
}

async fn client(server: &NatsServer) -> RequestClient {
    RequestClient::new(server.connect("gateway").await, Duration::from_secs(2))
}

#[tokio::test]
async fn a_command_arrives_whole_and_its_acceptance_comes_back() {
    let server = NatsServer::start().await;
    let service =
        RequestServer::start(&server.connect("article").await, "article").await.expect("started");
    let seen = Arc::new(Mutex::new(None));
    let record = seen.clone();
    service
        .command::<CreateArticle, _, _>(move |command| {
            let record = record.clone();
            async move {
                let accepted = Accepted {
                    aggregate_id: command.aggregate_id(),
                    version: 1,
                    position: 42,
                    stream: None,
                    events: vec![],
                    repeated: false,
                    state: article(&command),
                };
                *record.lock().await = Some(command);
                Ok(Reply::Accepted(accepted))
            }
        })
        .await
        .expect("registered");
    service.ready().await.expect("ready");
    let mut command = create();
    command.traceparent =
        Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned());
    let reply = client(&server).await.send(command.clone()).await.expect("a reply");
    let Reply::Accepted(accepted) = reply else { panic!("refused: {reply:?}") };
    assert_eq!((accepted.position, accepted.state), (42, article(&command)));
    let mut seen = seen.lock().await.clone().expect("the handler saw it");
    assert!(seen.deadline.take().is_some(), "a command gets a deadline");
    assert_eq!(seen, command);
    service.stop().await;
}

#[tokio::test]
async fn refusals_errors_and_panics_do_not_mix() {
    let server = NatsServer::start().await;
    let connection = server.connect("projection").await;
    let service = RequestServer::start(&connection, "projection").await.expect("started");
    service
        .query::<GetArticle, _, _>(|query| async move {
            match query.min_position {
                None => Ok(QueryReply::Refused(Refusal::new(
                    RefusalKind::NotFound,
                    "article-not-found",
                    "no",
                ))),
                Some(1) => Err(ServiceError::ProjectionBehind),
                Some(_) => panic!("a bug"),
            }
        })
        .await
        .expect("registered");
    service.ready().await.expect("ready");
    let client = client(&server).await;
    let ask = |min_position| {
        let id = create().aggregate_id();
        let query = QueryEnvelope { min_position, ..QueryEnvelope::new(GetArticle { id }) };
        let client = client.clone();
        async move { client.ask(&query).await }
    };
    let reply: QueryReply<Article> = ask(None).await.expect("a reply");
    assert!(matches!(reply, QueryReply::Refused(refusal) if refusal.code == "article-not-found"));
    for (position, expected) in [(1, ServiceError::ProjectionBehind), (2, ServiceError::Internal)] {
        match ask(Some(position)).await {
            Err(RequestError::Service { error, .. }) => assert_eq!(error, expected),
            other => panic!("expected {expected}, got {other:?}"),
        }
    }
    let _: Option<Answer<()>> = None;
    service.stop().await;
}

#[tokio::test]
async fn a_malformed_command_is_refused() {
    let server = NatsServer::start().await;
    let service =
        RequestServer::start(&server.connect("article").await, "article").await.expect("started");
    service
        .command::<CreateArticle, _, _>(|_| async { Err(ServiceError::Internal) })
        .await
        .expect("registered");
    service.ready().await.expect("ready");
    let gateway = server.client("gateway").await;
    let command = serde_json::to_value(create()).expect("JSON");
    let mut members: Vec<_> =
        ["id", "actor", "correlation_id"].map(|name| command[name].clone()).into();
    members.extend([json!(null), json!([]), json!([])]);
    members.extend([command["issued_at"].clone(), json!(null)]);
    members.push(command["data"].clone());
    let mut list = command.clone();
    list["data"] = json!(["T", "C", null, []]);
    for command in [json!({ "id": 7 }), json!(members), list, json!("create")] {
        let body = command.to_string().into();
        let reply = gateway.request("commands.article.create", body).await.expect("a reply");
        let reply: Reply<Article> = serde_json::from_slice(&reply.payload).expect("readable");
        let Reply::Refused(refusal) = reply else { panic!("accepted: {command}") };
        let code = (refusal.kind, refusal.code.as_ref());
        assert_eq!(code, (RefusalKind::Invalid, "malformed-request"));
        assert!(!refusal.detail.contains("struct"), "{refusal}");
    }
    service.stop().await;
}

#[tokio::test]
async fn without_a_service_or_a_server_the_answer_comes_at_once() {
    let mut server = NatsServer::start().await;
    let client = client(&server).await;
    let result = client.send(create()).await;
    assert!(matches!(result, Err(RequestError::NoService { .. })), "{result:?}");
    server.kill();
    test_support::eventually("the client to notice", || async {
        match client.send(create()).await {
            Err(RequestError::NotConnected { .. }) => Some(()),
            _ => None,
        }
    })
    .await;
}

#[tokio::test]
async fn a_reply_goes_to_an_inbox_and_nowhere_else() {
    let server = NatsServer::provisioned().await;
    let connection = server.connect("projection").await;
    let service = RequestServer::start(&connection, "projection").await.expect("started");
    service
        .query::<GetArticle, _, _>(|_| async { Err(ServiceError::ProjectionBehind) })
        .await
        .expect("registered");
    service.ready().await.expect("ready");
    let guest = async_nats::connect(server.url()).await.expect("guests may connect");
    let subject = "events.article.0190b3a0-6b2a-7c3e-9d57-2a1f0c6b7e42";
    for reply in [subject, "$JS.API.STREAM.DELETE.EVENTS"] {
        let query = "queries.article.get";
        guest.publish_with_reply(query, reply, "{}".into()).await.expect("sent");
    }
    // Answered behind the two, on the same connection.
    guest.request("queries.article.get", "{}".into()).await.expect("a reply");
    assert_eq!(server.messages_in("EVENTS").await, 0);
    service.stop().await;
}

#[tokio::test]
async fn a_stored_event_cannot_pose_as_a_command() {
    let server = NatsServer::provisioned().await;
    let service =
        RequestServer::start(&server.connect("article").await, "article").await.expect("started");
    let calls = Arc::new(Mutex::new(0));
    let count = calls.clone();
    service
        .command::<CreateArticle, _, _>(move |_| {
            let count = count.clone();
            async move {
                *count.lock().await += 1;
                Err(ServiceError::Internal)
            }
        })
        .await
        .expect("registered");
    service.ready().await.expect("ready");
    // Whoever may pull from a consumer can have its messages delivered to any subject.
    let admin = server.client("admin").await;
    let js = async_nats::jetstream::new(admin.clone());
    let payload = serde_json::to_vec(&create()).expect("plain JSON");
    let subject = "events.article.0190b3a0-6b2a-7c3e-9d57-2a1f0c6b7e42";
    js.publish(subject, payload.clone().into()).await.expect("sent").await.expect("stored");
    let config = async_nats::jetstream::consumer::pull::Config {
        durable_name: Some("projection".to_owned()),
        ..Default::default()
    };
    js.create_consumer_on_stream(config, "EVENTS").await.expect("created");
    let projection = server.client("projection").await;
    projection
        .publish_with_reply(
            "$JS.API.CONSUMER.MSG.NEXT.EVENTS.projection",
            "commands.article.create",
            "1".into(),
        )
        .await
        .expect("sent");
    projection.flush().await.expect("sent");
    // The real command arrives behind it and is the only one that is handled.
    test_support::eventually("the event to be delivered", || async {
        let mut consumer = js
            .get_consumer_from_stream::<async_nats::jetstream::consumer::pull::Config, _, _>(
                "projection",
                "EVENTS",
            )
            .await
            .ok()?;
        (consumer.info().await.ok()?.num_ack_pending == 1).then_some(())
    })
    .await;
    let result = client(&server).await.send(create()).await;
    assert!(matches!(result, Err(RequestError::Service { .. })), "{result:?}");
    assert_eq!(*calls.lock().await, 1);
    service.stop().await;
}

#[tokio::test]
async fn the_same_command_twice_at_once_is_in_flight() {
    let server = NatsServer::start().await;
    let service =
        RequestServer::start(&server.connect("article").await, "article").await.expect("started");
    let (started, gate) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (entered, open) = (started.clone(), gate.clone());
    service
        .command::<CreateArticle, _, _>(move |command| {
            let (entered, open) = (entered.clone(), open.clone());
            async move {
                entered.notify_one();
                open.notified().await;
                Ok(Reply::Refused(Refusal::new(RefusalKind::Conflict, "late", command.data.title)))
            }
        })
        .await
        .expect("registered");
    service.ready().await.expect("ready");
    let (client, command) = (client(&server).await, create());
    let first = tokio::spawn({
        let (client, command) = (client.clone(), command.clone());
        async move { client.send(command).await }
    });
    started.notified().await;
    let second = client.send(command).await;
    let in_flight = ServiceError::InFlight;
    assert!(matches!(second, Err(RequestError::Service { error, .. }) if error == in_flight));
    gate.notify_one();
    let first = first.await.expect("no panic").expect("a reply");
    assert!(matches!(first, Reply::Refused(refusal) if refusal.code == "late"));
}
