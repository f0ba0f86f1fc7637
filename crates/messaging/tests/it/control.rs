//! What administrators ask of services and consumers, beside the NATS service API.

use std::sync::Arc;

use async_nats::service::{NATS_SERVICE_ERROR, NATS_SERVICE_ERROR_CODE};
use contracts::article::CONTEXT;
use eventsourcing::RecordedEvent;
use messaging::{
    consumer::{Outcome, Reaction, Redriven, run_reaction},
    control::{self, ControlError},
    names,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use test_support::{NatsServer, eventually};
use tokio_util::sync::CancellationToken;

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase", deny_unknown_fields)]
enum Question {
    Status {},
    Rebuild { name: String },
}

/// A reaction with nothing to do.
struct Idle;

impl Reaction for Idle {
    const NAME: &'static str = "notification";
    const CONTEXTS: &'static [&'static str] = &[CONTEXT];

    async fn react(&self, _: &RecordedEvent) -> Outcome {
        Outcome::Done
    }
}

/// The answer to `payload`: the error with its code, and the body without the place in the question that it names.
async fn ask(client: &async_nats::Client, subject: &str, payload: &str) -> (String, String) {
    let answer = client.request(subject.to_owned(), payload.to_owned().into()).await;
    let answer = answer.expect("an answer");
    let header = |name| Some(answer.headers.as_ref()?.get(name)?.as_str().to_owned());
    let error = header(NATS_SERVICE_ERROR_CODE).zip(header(NATS_SERVICE_ERROR));
    let error = error.map(|(code, name)| format!("{code} {name}")).unwrap_or_default();
    let body = String::from_utf8(answer.payload.to_vec()).expect("text");
    (error, body.split(" at line ").next().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_question_is_an_object_without_unknown_members_or_it_is_refused_with_the_reason() {
    let server = NatsServer::provisioned().await;
    let (connection, stop) = (server.connect("projection").await, CancellationToken::new());
    let serving = {
        let stop = stop.clone();
        tokio::spawn(async move {
            let answer = |question: Question| async move { format!("{question:?}") };
            control::serve(&connection, "projection", &stop, answer).await
        })
    };
    let (client, subject) = (server.client("admin").await, names::control("projection"));
    let status = json!({ "action": "status" }).to_string();
    let answered = (String::new(), "\"Status\"".to_owned());
    eventually("the service to listen", || async {
        let answer = client.request(subject.clone(), status.clone().into()).await;
        answer.is_ok().then_some(())
    })
    .await;
    assert_eq!(ask(&client, &subject, &status).await, answered);
    for (question, reason) in [
        (r#"["status"]"#, "invalid type: sequence, expected an object"),
        (r#"["rebuild","articles"]"#, "invalid type: sequence, expected an object"),
        (r#""status""#, "invalid type: string \"status\", expected an object"),
        ("", "EOF while parsing a value"),
        (r#"{"action":"status"}{}"#, "trailing characters"),
        (r#"{"action":"status","hold":true}"#, "unknown field `hold`, there are no fields"),
        (
            r#"{"action":"rebuild","name":"articles","hold":true}"#,
            "unknown field `hold`, expected `name`",
        ),
        (r#"{"action":"stop"}"#, "unknown variant `stop`, expected `status` or `rebuild`"),
    ] {
        let refused = ("400 malformed-request".to_owned(), reason.to_owned());
        assert_eq!(ask(&client, &subject, question).await, refused, "{question}");
    }
    let admin = server.connect("admin").await;
    let refused = control::ask::<_, Value>(&admin, "projection", &json!(["status"])).await;
    let error = refused.expect_err("it is a list");
    assert!(matches!(error, ControlError::Refused { .. }), "{error:?}");
    let said = "projection does not understand the question; is it of another release? invalid type: sequence";
    assert!(error.to_string().starts_with(said), "{error}");
    stop.cancel();
    serving.await.expect("no panic").expect("an orderly end");
}

#[tokio::test]
async fn an_order_to_redrive_is_an_object_without_unknown_members_or_it_is_refused() {
    let server = NatsServer::provisioned().await;
    let (connection, stop) = (server.connect("notification").await, CancellationToken::new());
    let running = {
        let stop = stop.clone();
        tokio::spawn(async move { run_reaction(&connection, Arc::new(Idle), &stop).await })
    };
    let (client, subject) = (server.client("admin").await, names::redrive("notification"));
    let order = json!({ "subject": "events.article.x" }).to_string();
    eventually("the consumer to listen", || async {
        client.request(subject.clone(), order.clone().into()).await.ok()
    })
    .await;
    let nothing = serde_json::to_string(&Redriven::default()).expect("JSON");
    assert_eq!(ask(&client, &subject, &order).await, (String::new(), nothing));
    for (order, reason) in [
        (r#"["events.article.x"]"#, "invalid type: sequence, expected an object"),
        ("null", "invalid type: null, expected an object"),
        (r#"{"subject":"events.article.x","all":true}"#, "unknown field `all`, expected `subject`"),
        ("{}", "missing field `subject`"),
    ] {
        let refused = ("400 malformed-request".to_owned(), reason.to_owned());
        assert_eq!(ask(&client, &subject, order).await, refused, "{order}");
    }
    stop.cancel();
    running.await.expect("an orderly end");
}
