//! What consumers gave up on, over HTTP.

use eventsourcing::{
    AggregateId, CommandId, CorrelationId, Fingerprint, Metadata, NewEvent, StreamId,
};
use messaging::{event_codec, names::header};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use test_support::{eventually, http_client, user};
use time::OffsetDateTime;

use crate::{
    app::{Response, send},
    dead::poison,
    processes::Installation,
};

pub const PATH: &str = "/api/admin/dead-letters";

/// Somebody with a token.
pub struct Operator<'a> {
    all: &'a Installation,
    token: String,
}

impl<'a> Operator<'a> {
    pub fn new(all: &'a Installation) -> Self {
        Self { all, token: all.mint(&["--user", "olga", "--role", "ops"]) }
    }

    pub fn request(&self, method: Method, rest: &str) -> RequestBuilder {
        let url = format!("{}{PATH}{rest}", self.all.url());
        http_client().request(method, url).bearer_auth(&self.token)
    }

    pub async fn get(&self, rest: &str) -> Response {
        send(self.request(Method::GET, rest)).await
    }

    pub async fn post(&self, rest: &str, body: Value) -> Response {
        send(self.request(Method::POST, rest).json(&body)).await
    }
}

#[tokio::test]
async fn operators_list_show_redrive_and_drop_dead_letters() {
    let all = Installation::start().await;
    let article = poison(&all).await;
    let ops = Operator::new(&all);

    let subject = format!("events.article.{article}");
    pages(&ops, &subject).await;
    choices(&ops, article).await;

    let dry = ops.post("/redrive", json!({ "all": true, "dry_run": true })).await;
    assert_eq!(
        (dry.status, &dry.body["redriven"], &dry.body["dry_run"]),
        (200, &json!(4), &json!(true))
    );
    let tried = ops.post("/redrive", json!({ "all": true })).await;
    let failing = tried.body["failing"].as_array().expect("a list");
    assert_eq!((&tried.body["redriven"], failing.len()), (&json!(0), 2), "{tried:?}");
    assert_eq!((&tried.body["complete"], &tried.body["next"]), (&json!(true), &Value::Null));
    assert!(failing.iter().all(|one| one["subject"] == subject.as_str()), "{tried:?}");
    assert_eq!(all.server.messages_in("DEAD_LETTERS").await, 4);

    // Without the poison the notification goes on; the read model has a gap and says so.
    let poison = |dry_run: bool| json!({ "reason": "unknown schema version", "dry_run": dry_run });
    let dry = ops.post("/drop", poison(true)).await;
    assert_eq!((dry.status, &dry.body["dropped"]), (200, &json!(2)));
    let dropped = ops.post("/drop", poison(false)).await;
    assert_eq!((&dropped.body["dropped"], &dropped.body["complete"]), (&json!(2), &json!(true)));
    let tried = ops.post("/redrive", json!({ "aggregate": article })).await;
    assert_eq!(tried.body["redriven"], json!(1), "{tried:?}");
    assert_eq!(tried.body["failing"][0]["consumer"], "projection");
    eventually("the mail about what was parked", || async {
        let mails = crate::app::mails(all.dir.path());
        mails.iter().any(|mail| mail.contains("parked")).then_some(())
    })
    .await;

    let left = ops.get("").await.body["items"][0]["number"].as_u64().expect("one is left");
    let one = format!("/{left}");
    for (name, value) in [("if-none-match", "*"), ("if-match", "\"1\""), ("if-match", "1")] {
        let refused = send(ops.request(Method::DELETE, &one).header(name, value)).await;
        let status = if value == "1" { 400 } else { 412 };
        assert_eq!(refused.status, status, "{name}: {value}: {refused:?}");
        let missing = send(ops.request(Method::DELETE, "/0").header(name, value)).await;
        assert_eq!(missing.status, 404, "{name}: {value}: {missing:?}");
    }
    let delete = ops.request(Method::DELETE, &one).header("if-match", "*");
    assert_eq!(send(delete.header("if-none-match", "\"1\"")).await.status, 204);
    for missing in [one, "/0".to_owned(), format!("/{}", u64::MAX)] {
        for method in [Method::DELETE, Method::GET] {
            let gone = send(ops.request(method.clone(), &missing)).await;
            assert_eq!(gone.status, 404, "{method} {missing}: {gone:?}");
        }
    }
    assert_eq!(all.server.messages_in("DEAD_LETTERS").await, 0);
}

/// The two dead letters of the notification, a page each, and the first one as a whole.
async fn pages(ops: &Operator<'_>, subject: &str) {
    let first = ops.get("?consumer=notification&limit=1").await;
    assert_eq!((first.status, first.body["items"].as_array().map(Vec::len)), (200, Some(1)));
    let item = &first.body["items"][0];
    let number = item["number"].as_u64().expect("a number");
    let reason = item["reason"].as_str().expect("a reason");
    assert!(reason.contains("unknown schema version 99"), "{item}");
    assert_eq!((&item["consumer"], &item["position"]), (&json!("notification"), &json!(2)));
    assert_eq!(item["subject"], subject);
    assert_eq!((&item["type"], &item["body"]), (&json!("article.deleted"), &Value::Null));
    assert_eq!(first.body["next"], json!(number.to_string()));
    let rest = format!("?consumer=notification&limit=1&cursor={number}");
    assert_eq!(first.header("link"), format!("<{PATH}{rest}>; rel=\"next\""));
    let second = ops.get(&rest).await;
    let reason = second.body["items"][0]["reason"].as_str().expect("a reason");
    assert!(reason.contains("parked") && second.body["next"].is_null(), "{second:?}");
    assert_eq!((second.header("link"), second.status), ("", 200));

    let whole = ops.get(&format!("/{number}")).await;
    assert_eq!((whole.status, &whole.body["number"]), (200, &json!(number)));
    assert_eq!(whole.body["headers"]["ce-schemaversion"], json!(["99"]));
    let body = whole.body["body"].as_str().expect("a body");
    assert!(body.contains("\"author_id\":\"ann\""), "{whole:?}");
    assert_eq!(whole.body["body_encoding"], "utf-8");
}

/// Each choice finds what fits.
async fn choices(ops: &Operator<'_>, article: AggregateId) {
    let first = ops.get("?consumer=notification&limit=1").await;
    let item = &first.body["items"][0];
    assert_eq!(item["aggregate_id"], json!(article));
    let count = async |rest: &str| {
        let page = ops.get(rest).await;
        (page.status, page.body["items"].as_array().map_or(0, Vec::len))
    };
    let time = item["time"].as_str().expect("a time");
    let aggregate = format!("?aggregate={article}");
    assert_eq!(count("").await, (200, 4));
    assert_eq!(count(&aggregate).await, (200, 4));
    assert_eq!(count("?aggregate=0190b3a0-6b2a-7c3e-9d57-2a1f0c6b7e42").await, (200, 0));
    assert_eq!(count("?reason=unknown%20schema&consumer=projection").await, (200, 1));
    assert_eq!(count(&format!("?consumer=notification&after={time}")).await, (200, 1));
    assert_eq!(count(&format!("?consumer=notification&before={time}")).await, (200, 0));
    assert_eq!(count(&format!("?cursor={}", u64::MAX)).await, (200, 0));
}

#[tokio::test]
async fn a_redrive_brings_back_an_article_that_the_read_model_gave_up_on() {
    let all = Installation::start().await;
    let id = article_id();
    // Given up on by a read model that did not know better; the one that runs does.
    for (version, kind) in [(1, "article.created"), (2, "article.updated")] {
        bury(&all, id, version, kind).await;
    }
    let ops = Operator::new(&all);
    let url = format!("{}/api/articles/{id}", all.url());
    assert_eq!(send(http_client().get(&url)).await.status, 404);
    let redriven = ops.post("/redrive", json!({ "consumer": "projection" })).await;
    assert_eq!((redriven.status, &redriven.body["redriven"]), (200, &json!(2)), "{redriven:?}");
    assert_eq!((&redriven.body["failing"], &redriven.body["complete"]), (&json!([]), &json!(true)));
    let back = send(http_client().get(&url)).await;
    assert_eq!((back.status, &back.body["title"]), (200, &json!("version 2")), "{back:?}");
    assert_eq!(all.server.messages_in("DEAD_LETTERS").await, 0);
    let again = ops.post("/redrive", json!({ "all": true })).await;
    assert_eq!((&again.body["redriven"], &again.body["complete"]), (&json!(0), &json!(true)));
}

#[tokio::test]
async fn a_redrive_of_many_articles_is_done_by_several_requests() {
    let mut all = Installation::start().await;
    // What ends a request shall be the number of articles, however slow the machine is.
    all.kill("gateway");
    all.run_with("gateway", &[("NEWSWIRE__GATEWAY__COMMAND_TIMEOUT_MS", "25000")]);
    all.ready().await;
    for _ in 0..101 {
        let subject = format!("dead.nobody.events.article.{}", article_id());
        all.server.store(&subject, &[], "{}").await;
    }
    let ops = Operator::new(&all);
    let first = ops.post("/redrive", json!({ "consumer": "nobody" })).await;
    let failing = |answer: &Response| answer.body["failing"].as_array().map(Vec::len);
    assert_eq!((failing(&first), &first.body["complete"]), (Some(100), &json!(false)), "{first:?}");
    let cursor = &first.body["next"];
    let rest = ops.post("/redrive", json!({ "consumer": "nobody", "cursor": cursor })).await;
    assert_eq!((failing(&rest), &rest.body["complete"]), (Some(1), &json!(true)), "{rest:?}");
    // Answers had a number here once.
    let number: u64 = cursor.as_str().expect("a text").parse().expect("a number inside");
    let rest = ops.post("/redrive", json!({ "consumer": "nobody", "cursor": number })).await;
    assert_eq!((failing(&rest), &rest.body["complete"]), (Some(1), &json!(true)), "{rest:?}");
}

pub fn article_id() -> AggregateId {
    CommandId::generate().creates("article")
}

/// Puts an event of an article among the dead letters of the projection.
async fn bury(all: &Installation, id: AggregateId, version: u64, kind: &str) {
    let command = CommandId::generate();
    let title = format!("version {version}");
    let data =
        json!({ "title": title, "content": "C", "author_id": "ann", "slug": null, "tags": [] });
    let event = NewEvent {
        id: command.event_id(id, 0),
        event_type: kind.to_owned(),
        schema_version: if version == 1 { 2 } else { 1 },
        version,
        time: OffsetDateTime::now_utc(),
        metadata: Metadata {
            correlation_id: CorrelationId::generate(),
            causation_id: command,
            fingerprint: Fingerprint::of("test", b""),
            user_id: user("ann"),
            traceparent: None,
        },
        data: Vec::new(),
    };
    let headers = event_codec::headers(&StreamId::new("article", id), &event);
    let headers = headers.iter().map(|(name, values)| (name.to_string(), values[0].to_string()));
    let dead = [
        (header::DEAD_CONSUMER, "projection".to_owned()),
        (header::DEAD_REASON, "it did not know better".to_owned()),
        (header::DEAD_POSITION, version.to_string()),
    ];
    let dead = dead.into_iter().map(|(name, value)| (name.to_owned(), value));
    let subject = format!("dead.projection.events.article.{id}");
    let headers: Vec<_> = headers.chain(dead).collect();
    all.server.store(&subject, &headers, &data.to_string()).await;
}
