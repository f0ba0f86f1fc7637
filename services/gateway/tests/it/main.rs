//! The gateway alone: what it says when the services behind it say this or that.

use std::{future::pending, time::Duration};

use contracts::article::{CreateArticle, GetArticle, GetHistory};
use eventsourcing::{QueryReply, Refusal, RefusalKind};
use gateway::{GatewaySettings, Settings};
use messaging::{FingerprintSettings, RequestServer, ServiceError};
use reqwest::{RequestBuilder, header::HeaderValue};
use serde_json::{Value, json};
use service_kit::auth::Tokens;
use test_support::{NatsServer, eventually, http_client, ready};

const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");
const ID: &str = "0190b3a0-6b2a-7c3e-9d57-2a1f0c6b7e42";

struct TestGateway {
    server: NatsServer,
    url: String,
    token: String,
}

impl TestGateway {
    async fn start() -> Self {
        let server = NatsServer::start().await;
        let context = test_support::context();
        let auth = test_support::auth();
        let tokens = Tokens::new(&auth).expect("a usable key");
        let token =
            tokens.mint("ann", &["ops".to_owned()], Duration::from_hours(1)).expect("minted");
        let gateway = GatewaySettings { command_timeout_ms: 300, query_timeout_ms: 300 };
        let settings = Settings {
            nats: server.settings("gateway"),
            auth,
            fingerprint: FingerprintSettings::default(),
            gateway,
        };
        context.lifecycle.run("gateway", gateway::run(settings, context.clone()));
        ready(&context).await;
        let address = context.site.address().await.expect("mounted");
        Self { server, url: format!("http://{address}/api/articles"), token }
    }

    fn post(&self) -> RequestBuilder {
        let body = json!({ "title": "T", "content": "C" });
        http_client().post(&self.url).bearer_auth(&self.token).json(&body)
    }

    fn get(&self) -> RequestBuilder {
        self.at("")
    }

    /// A read of what is under an article.
    fn at(&self, rest: &str) -> RequestBuilder {
        http_client().get(format!("{}/{ID}{rest}", self.url))
    }

    /// A read of somebody who may.
    fn api(&self, path: &str) -> RequestBuilder {
        let url = self.url.replace("/articles", path);
        http_client().get(url).bearer_auth(&self.token)
    }
}

/// A problem: its status, the end of its type, and its detail.
type Told = (u16, String, String);

fn told(status: u16, code: &str, detail: &str) -> Told {
    (status, code.to_owned(), detail.to_owned())
}

/// Says that nobody knows whether the write is stored, and why.
fn unknown(why: &str) -> Told {
    let rest = "the write may be stored or not: a repeat with the same Idempotency-Key tells which";
    told(504, "outcome-unknown", &format!("{why}; {rest}"))
}

fn internal() -> Told {
    told(500, "internal", "something went wrong on our side")
}

async fn problem(request: RequestBuilder) -> Told {
    let response = request.send().await.expect("answered");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body: Value = response.json().await.expect("JSON");
    let text = |name: &str| body[name].as_str().expect("a text").to_owned();
    assert_eq!((&headers["content-type"], &body["status"]), (&PROBLEM, &json!(status)), "{body}");
    let again = headers.get("retry-after").map(|value| value.to_str().expect("ASCII"));
    assert_eq!(again, (status >= 503).then_some("1"), "{body}");
    (status, text("type").replace("urn:newswire:problem:", ""), text("detail"))
}

#[tokio::test]
async fn without_a_service_the_answer_is_503_at_once_and_names_it() {
    let gateway = TestGateway::start().await;
    let away = |what: &str| told(503, "service-unavailable", what);
    let written = away("the article service is not running; nothing was changed");
    assert_eq!(problem(gateway.post()).await, written);
    let read = away("the projection service is not running");
    assert_eq!(problem(gateway.get()).await, read);
    let past = away("the article service is not running");
    assert_eq!(problem(gateway.at("/history")).await, past);
}

#[tokio::test]
async fn without_nats_the_answer_is_503_too_and_names_it() {
    let mut gateway = TestGateway::start().await;
    gateway.server.kill();
    let nats = "the gateway is not connected to NATS";
    let written = told(503, "service-unavailable", &format!("{nats}; nothing was changed"));
    eventually("the gateway to notice", || async {
        (problem(gateway.post()).await == written).then_some(())
    })
    .await;
    let read = told(503, "service-unavailable", nats);
    assert_eq!(problem(gateway.get()).await, read);
    assert_eq!(problem(gateway.at("/history")).await, read);
    let queue = "the command queue takes no commands now; nothing was changed";
    let later = gateway.post().header("prefer", "respond-async");
    assert_eq!(problem(later).await, told(503, "unavailable", queue));
    let waiting = gateway.post().header("prefer", "wait=1");
    let neither = "neither the article service nor the command queue answered";
    assert_eq!(problem(waiting).await, unknown(neither));
    let operation = gateway.api(&format!("/operations/{ID}"));
    let outcomes = "the outcomes of commands cannot be read now";
    assert_eq!(problem(operation).await, told(503, "unavailable", outcomes));
    let letters = "the dead letters cannot be reached; what was done until then stays, and a repeat does the rest";
    let dead = gateway.api("/admin/dead-letters");
    assert_eq!(problem(dead).await, told(503, "unavailable", letters));
}

#[tokio::test]
async fn a_service_that_does_not_answer_is_504_and_nobody_claims_to_know() {
    let gateway = TestGateway::start().await;
    let connection = gateway.server.connect("article").await;
    let service = RequestServer::start(&connection, "article").await.expect("started");
    service.command::<CreateArticle, _, _>(|_| pending()).await.expect("registered");
    service.query::<GetHistory, _, _>(|_| pending()).await.expect("registered");
    service.ready().await.expect("ready");
    let silent = unknown("the article service did not answer in time");
    assert_eq!(problem(gateway.post()).await, silent);
    let read = told(504, "timeout", "the event store did not answer in time");
    assert_eq!(problem(gateway.at("/history")).await, read);
}

#[tokio::test]
async fn every_error_of_a_write_has_its_status_and_says_whether_it_is_stored() {
    for (error, expected) in [
        (
            ServiceError::Unavailable,
            told(503, "unavailable", "the event store takes no writes now; nothing was changed"),
        ),
        (
            ServiceError::Contended,
            told(503, "contended", "others keep changing this article; nothing was changed"),
        ),
        (
            ServiceError::DeadlineExceeded,
            told(
                503,
                "deadline-exceeded",
                "the request came to the article service too late; nothing was changed",
            ),
        ),
        (ServiceError::OutcomeUnknown, unknown("the event store did not answer in time")),
        (ServiceError::Internal, internal()),
    ] {
        let gateway = TestGateway::start().await;
        let connection = gateway.server.connect("article").await;
        let service = RequestServer::start(&connection, "article").await.expect("started");
        let handler = move |_| async move { Err(error) };
        service.command::<CreateArticle, _, _>(handler).await.expect("registered");
        service.ready().await.expect("ready");
        assert_eq!(problem(gateway.post()).await, expected);
    }
}

#[tokio::test]
async fn every_error_of_a_read_has_its_status_and_says_no_more_than_it_should() {
    for (error, expected) in [
        (ServiceError::Unavailable, told(503, "unavailable", "the read model cannot be read now")),
        (
            ServiceError::ProjectionBehind,
            told(
                503,
                "projection-behind",
                "the read model has not reached the position that was asked for",
            ),
        ),
        (
            ServiceError::AnotherStream,
            told(
                503,
                "read-model-of-another-stream",
                "the read model was made from another stream of events: it answers once it is rebuilt",
            ),
        ),
        (
            ServiceError::DeadlineExceeded,
            told(504, "deadline-exceeded", "the read model did not answer in time"),
        ),
        (ServiceError::Internal, internal()),
    ] {
        let gateway = TestGateway::start().await;
        let connection = gateway.server.connect("projection").await;
        let service = RequestServer::start(&connection, "projection").await.expect("started");
        let handler = move |_| async move { Err(error) };
        service.query::<GetArticle, _, _>(handler).await.expect("registered");
        service.ready().await.expect("ready");
        assert_eq!(problem(gateway.get()).await, expected);
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_there_at_a_position() {
    let gateway = TestGateway::start().await;
    let connection = gateway.server.connect("projection").await;
    let service = RequestServer::start(&connection, "projection").await.expect("started");
    let handler = |_| async {
        let refusal = Refusal::new(RefusalKind::NotFound, "article-not-found", "no such article");
        Ok(QueryReply::Refused(refusal.at(7)))
    };
    service.query::<GetArticle, _, _>(handler).await.expect("registered");
    service.ready().await.expect("ready");
    let response = gateway.get().send().await.expect("answered");
    assert_eq!(response.status(), 404);
    assert_eq!(response.headers()["newswire-position"], "7");
}

#[tokio::test]
async fn a_write_needs_a_valid_token_and_a_wrong_one_is_refused_on_reads_too() {
    let gateway = TestGateway::start().await;
    let expected = |detail: &str| told(401, "unauthorized", detail);
    let body = json!({ "title": "T", "content": "C" });
    let post = || http_client().post(&gateway.url).json(&body);
    assert_eq!(problem(post()).await, expected("this needs a bearer token"));
    for value in ["Bearer forged", "Basic YTpi", "Bearer", ""] {
        for request in [post(), gateway.get()] {
            let refused = request.header("authorization", value);
            assert_eq!(problem(refused).await, expected("the token is not valid"), "{value}");
        }
    }
    let response = post().send().await.expect("answered");
    assert_eq!(response.headers()["www-authenticate"], "Bearer");
}
