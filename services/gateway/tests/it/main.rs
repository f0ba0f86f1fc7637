//! The gateway alone: what it says when the services behind it say this or that.

use std::{future::pending, time::Duration};

use contracts::article::{CreateArticle, GetArticle};
use eventsourcing::{QueryReply, Refusal, RefusalKind};
use gateway::{GatewaySettings, Settings};
use messaging::{RequestServer, ServiceError};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use service_kit::auth::Tokens;
use test_support::{NatsServer, eventually, http_client, ready};

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
        let token = tokens.mint("ann", &[], Duration::from_hours(1)).expect("minted");
        let gateway = GatewaySettings { command_timeout_ms: 300, query_timeout_ms: 300 };
        let settings = Settings { nats: server.settings("gateway"), auth, gateway };
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
        http_client().get(format!("{}/{ID}", self.url))
    }
}

async fn problem(request: RequestBuilder) -> (u16, String) {
    let response = request.send().await.expect("answered");
    let status = response.status().as_u16();
    let body: Value = response.json().await.expect("JSON");
    (status, body["type"].as_str().expect("a type").replace("urn:newswire:problem:", ""))
}

#[tokio::test]
async fn without_a_service_the_answer_is_503_at_once() {
    let gateway = TestGateway::start().await;
    let expected = (503, "service-unavailable".to_owned());
    assert_eq!(problem(gateway.post()).await, expected);
    assert_eq!(problem(gateway.get()).await, expected);
}

#[tokio::test]
async fn without_nats_the_answer_is_503_too() {
    let mut gateway = TestGateway::start().await;
    gateway.server.kill();
    eventually("the gateway to notice", || async {
        (problem(gateway.post()).await == (503, "service-unavailable".to_owned())).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_service_that_does_not_answer_is_504_and_nobody_claims_to_know() {
    let gateway = TestGateway::start().await;
    let service = RequestServer::start(&gateway.server.connect("article").await, "article")
        .await
        .expect("started");
    service.command::<CreateArticle, _, _>(|_| pending()).await.expect("registered");
    service.ready().await.expect("ready");
    assert_eq!(problem(gateway.post()).await, (504, "outcome-unknown".to_owned()));
}

#[tokio::test]
async fn a_write_that_came_too_late_was_certainly_not_done() {
    let gateway = TestGateway::start().await;
    let connection = gateway.server.connect("article").await;
    let service = RequestServer::start(&connection, "article").await.expect("started");
    let late = |_| async { Err(ServiceError::DeadlineExceeded) };
    service.command::<CreateArticle, _, _>(late).await.expect("registered");
    service.ready().await.expect("ready");
    assert_eq!(problem(gateway.post()).await, (503, "deadline-exceeded".to_owned()));
}

#[tokio::test]
async fn every_error_of_a_service_has_its_status_and_says_no_more_than_it_should() {
    for (error, status) in [
        (ServiceError::Unavailable, 503),
        (ServiceError::ProjectionBehind, 503),
        (ServiceError::Contended, 503),
        (ServiceError::DeadlineExceeded, 504),
        (ServiceError::OutcomeUnknown, 504),
        (ServiceError::Internal, 500),
    ] {
        let gateway = TestGateway::start().await;
        let connection = gateway.server.connect("projection").await;
        let service = RequestServer::start(&connection, "projection").await.expect("started");
        let handler = move |_| async move { Err(error) };
        service.query::<GetArticle, _, _>(handler).await.expect("registered");
        service.ready().await.expect("ready");
        assert_eq!(problem(gateway.get()).await, (status, error.name().to_owned()));
        if error == ServiceError::Unavailable {
            let body: Value = gateway.get().send().await.expect("sent").json().await.expect("JSON");
            assert_eq!(body["detail"], "the read model is not available");
        }
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
    let expected = (401, "unauthorized".to_owned());
    let body = json!({ "title": "T", "content": "C" });
    let post = || http_client().post(&gateway.url).json(&body);
    assert_eq!(problem(post()).await, expected);
    for value in ["Bearer forged", "Basic YTpi", "Bearer", ""] {
        assert_eq!(problem(post().header("authorization", value)).await, expected, "{value}");
        assert_eq!(
            problem(gateway.get().header("authorization", value)).await,
            expected,
            "{value}"
        );
    }
    let response = post().send().await.expect("answered");
    assert_eq!(response.headers()["www-authenticate"], "Bearer");
}
