//! Nothing but the gateway sends commands, nothing but the article service writes article events.

use std::time::Duration;

use messaging::{
    consumer::{self, DeadLetterBox, RedriveError},
    names,
};
use test_support::NatsServer;

/// How long a denied publish must stay without effect.
const MOMENT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn only_the_article_service_writes_article_events() {
    let server = NatsServer::provisioned().await;
    let subject = "events.article.0190b3a0-6b2a-7c3e-9d57-2a1f0c6b7e42";
    for user in ["gateway", "projection", "notification", "push"] {
        let client = server.client(user).await;
        let reply = tokio::time::timeout(MOMENT, client.request(subject, "{}".into())).await;
        assert!(!matches!(reply, Ok(Ok(_))), "{user} wrote an event");
    }
    let guest = async_nats::connect(server.url()).await.expect("guests may connect");
    let reply = tokio::time::timeout(MOMENT, guest.request(subject, "{}".into())).await;
    assert!(!matches!(reply, Ok(Ok(_))), "a guest wrote an event");
    assert_eq!(server.messages_in("EVENTS").await, 0);
    let article = server.client("article").await;
    article.request(subject, "{}".into()).await.expect("the article service may");
    assert_eq!(server.messages_in("EVENTS").await, 1);
}

#[tokio::test]
async fn only_the_gateway_sends_commands() {
    use futures_util::StreamExt;

    let server = NatsServer::provisioned().await;
    let article = server.client("article").await;
    let mut commands = article
        .queue_subscribe("commands.article.create", "article".to_owned())
        .await
        .expect("the article service listens");
    // A round trip on the same connection: the server has the subscription.
    let subject = "events.article.0190b3a0-6b2a-7c3e-9d57-2a1f0c6b7e42";
    article.request(subject, "{}".into()).await.expect("a round trip");
    for user in ["article", "projection", "notification", "push"] {
        let client = server.client(user).await;
        client.publish("commands.article.create", user.into()).await.expect("sent");
        client.flush().await.expect("sent");
    }
    let guest = async_nats::connect(server.url()).await.expect("guests may connect");
    guest.publish("commands.article.create", "guest".into()).await.expect("sent");
    guest.flush().await.expect("sent");
    let gateway = server.client("gateway").await;
    gateway.publish("commands.article.create", "gateway".into()).await.expect("sent");
    let first = commands.next().await.expect("the gateway's command arrives");
    assert_eq!(first.payload, "gateway");
    let another = tokio::time::timeout(MOMENT, commands.next()).await;
    assert!(another.is_err(), "somebody else's command arrived: {another:?}");
}

#[tokio::test]
async fn the_gateway_reads_drops_and_redrives_dead_letters_and_strangers_do_not() {
    let server = NatsServer::provisioned().await;
    let subject = "events.article.0190b3a0-6b2a-7c3e-9d57-2a1f0c6b7e42";
    server.store(&names::dead_letter("notification", subject), &[], "{}").await;
    let redrive = names::redrive("notification");
    for client in [
        server.client("push").await,
        async_nats::connect(server.url()).await.expect("guests may connect"),
    ] {
        for subject in ["$JS.API.STREAM.MSG.DELETE.DEAD_LETTERS", redrive.as_str()] {
            let reply = client.request(subject.to_owned(), r#"{"seq":1}"#.into());
            let reply = tokio::time::timeout(MOMENT, reply).await;
            assert!(reply.is_err(), "a stranger was answered at {subject}: {reply:?}");
        }
    }
    assert_eq!(server.messages_in(names::DEAD_LETTERS).await, 1);
    let gateway = server.connect("gateway").await;
    let letters = DeadLetterBox::new(gateway.clone());
    let letter = letters.get(1).await.expect("it may read").expect("one is there");
    assert_eq!(
        (letter.consumer.as_str(), letter.message.subject.as_str()),
        ("notification", subject)
    );
    // It may ask; that nobody is there it is told at once.
    let asked = consumer::redrive(&gateway, "notification", subject).await;
    assert!(matches!(asked, Err(RedriveError::NotRunning(_))), "{asked:?}");
    assert!(letters.remove(1).await.expect("it may drop"));
    assert_eq!(server.messages_in(names::DEAD_LETTERS).await, 0);
}

#[tokio::test]
async fn a_guest_may_watch_stored_events_of_public_contexts_and_nothing_else() {
    use futures_util::StreamExt;

    let server = NatsServer::provisioned().await;
    let guest = async_nats::connect(server.url()).await.expect("guests may connect");
    let mut events = guest.subscribe("live.events.article.*").await.expect("subscribed");
    let mut others = Vec::new();
    for subject in
        ["events.>", "events.article.*", "live.>", "live.events.*.*", "live.events.user.*", ">"]
    {
        others.push(guest.subscribe(subject).await.expect("sent"));
    }
    // The answer to any request comes after the subscriptions.
    let _ = guest.request("queries.article.get", "{}".into()).await;
    let admin = server.client("admin").await;
    let id = "0190b3a0-6b2a-7c3e-9d57-2a1f0c6b7e42";
    for private in [format!("events.user.{id}"), format!("events.claim.article-slug.{id}")] {
        admin.request(private, "{}".into()).await.expect("stored");
    }
    let writer = test_support::ArticleWriter::new(&server).await;
    writer.create("ann", "T", "C").await;
    let event = events.next().await.expect("the event arrives");
    let headers = event.headers.expect("headers");
    assert_eq!(headers.get("ce-type").expect("a type").as_str(), "article.created");
    assert_eq!(headers.get(names::header::SEQUENCE).expect("a position").as_str(), "3");
    for mut subscription in others {
        let message = tokio::time::timeout(MOMENT, subscription.next()).await;
        assert!(message.is_err(), "a guest watched {message:?}");
    }
}

#[tokio::test]
async fn nobody_but_the_server_says_what_was_stored() {
    use futures_util::StreamExt;

    let server = NatsServer::provisioned().await;
    let guest = async_nats::connect(server.url()).await.expect("guests may connect");
    let mut events = guest.subscribe("live.events.article.*").await.expect("subscribed");
    let _ = guest.request("queries.article.get", "{}".into()).await;
    let forged = "live.events.article.0190b3a0-6b2a-7c3e-9d57-2a1f0c6b7e42";
    for user in ["gateway", "article", "projection", "notification", "push"] {
        let client = server.client(user).await;
        client.publish(forged, user.into()).await.expect("sent");
        client.flush().await.expect("sent");
    }
    guest.publish(forged, "guest".into()).await.expect("sent");
    let message = tokio::time::timeout(MOMENT, events.next()).await;
    assert!(message.is_err(), "somebody published {message:?}");
}

#[tokio::test]
async fn only_the_gateway_queues_commands_and_guests_change_nothing() {
    let server = NatsServer::provisioned().await;
    let id = "0190b3a0-6b2a-7c3e-9d57-2a1f0c6b7e42";
    let streams = [
        (names::COMMANDS, names::queued_command("article", "create")),
        (names::OPERATIONS, format!("$KV.OPERATIONS.article.{id}")),
        (names::SNAPSHOTS, format!("$KV.SNAPSHOTS.article.{id}")),
        (names::EVENTS, format!("events.claim.article-slug.{id}")),
    ];
    let guest = async_nats::connect(server.url()).await.expect("guests may connect");
    let (push, gateway) = (server.client("push").await, server.client("gateway").await);
    for (stream, subject) in streams {
        for client in [&guest, &push] {
            let reply = client.request(subject.clone(), "{}".into());
            let reply = tokio::time::timeout(MOMENT, reply).await;
            assert!(!matches!(reply, Ok(Ok(_))), "a stranger wrote to {subject}");
        }
        assert_eq!(server.messages_in(stream).await, 0, "{stream}");
    }
    let subject = names::queued_command("article", "create");
    gateway.request(subject, "{}".into()).await.expect("the gateway may");
    assert_eq!(server.messages_in(names::COMMANDS).await, 1);
    // Nobody answers these here; who may ask is told so at once, who may not hears nothing.
    for (subject, allowed) in [("queries.article.get", true), ("queries.article.history", false)] {
        let asked = tokio::time::timeout(MOMENT, guest.request(subject, "{}".into())).await;
        assert_eq!(asked.is_ok(), allowed, "{subject}: {asked:?}");
    }
}

#[tokio::test]
async fn the_projection_has_its_own_consumers_and_no_others() {
    let server = NatsServer::provisioned().await;
    let projection = server.client("projection").await;
    let api = |act: &str| format!("$JS.API.CONSUMER.{act}.EVENTS.notification");
    // In both forms.
    let old = "$JS.ACK.EVENTS.notification.1.1.1.1.0".to_owned();
    let new = "$JS.ACK._.ACCOUNT.EVENTS.notification.1.1.1.1.0".to_owned();
    for subject in [api("DELETE"), api("MSG.NEXT"), format!("{}.x", api("CREATE")), old, new] {
        let reply = projection.request(subject.clone(), "{}".into());
        let reply = tokio::time::timeout(MOMENT, reply).await;
        assert!(reply.is_err(), "it was answered at {subject}: {reply:?}");
    }
    let own = "$JS.API.CONSUMER.DELETE.EVENTS.projection";
    let reply = tokio::time::timeout(MOMENT, projection.request(own, "".into())).await;
    assert!(reply.is_ok(), "there is none, but it may ask: {reply:?}");
}
