use std::time::Duration;

use push::{PushSettings, Settings, WebSettings};
use service_kit::{Lifecycle, Origins, auth::Tokens};
use test_support::{ArticleWriter, NatsServer, ready};

use crate::client::Client;

/// The push service on a nats-server of its own.
pub struct TestService {
    pub server: NatsServer,
    pub writer: ArticleWriter,
    pub tokens: Tokens,
    pub lifecycle: Lifecycle,
    pub url: String,
}

/// Settings that are in no test's way.
pub fn roomy() -> PushSettings {
    PushSettings {
        max_queued_bytes: (1024 * 1024).try_into().expect("not zero"),
        max_topics: 10.try_into().expect("not zero"),
        max_clients: 1000.try_into().expect("not zero"),
        max_anonymous_clients: 1000.try_into().expect("not zero"),
        max_anonymous_clients_per_address: 1000.try_into().expect("not zero"),
        message_timeout_ms: 60_000,
        max_anonymous_unfinished_bytes: (1024 * 1024).try_into().expect("not zero"),
    }
}

impl TestService {
    pub async fn start() -> Self {
        Self::start_with(roomy()).await
    }

    pub async fn start_with(push: PushSettings) -> Self {
        let server = NatsServer::provisioned().await;
        let context = test_support::context();
        let auth = test_support::auth();
        let tokens = Tokens::new(&auth).expect("a usable key");
        let settings = Settings {
            nats: server.settings("push"),
            auth,
            http: WebSettings {
                allowed_origins: Origins::new(["https://app.example"]).expect("exact"),
            },
            push,
        };
        context.lifecycle.run("push", push::run(settings, context.clone()));
        ready(&context).await;
        let address = context.site.address().await.expect("the socket is mounted");
        Self {
            writer: ArticleWriter::new(&server).await,
            server,
            tokens,
            lifecycle: context.lifecycle,
            url: format!("ws://{address}/ws"),
        }
    }

    pub fn token(&self, user: &str, ttl: Duration) -> String {
        self.tokens.mint(user, &[], ttl).expect("minted")
    }

    pub async fn client(&self) -> Client {
        Client::connect(&self.url, None).await.expect("connected")
    }

    /// `count` articles of `size` characters.
    pub async fn write(&self, count: usize, size: usize) {
        let content = "x".repeat(size);
        for number in 0..count {
            self.writer.create("ann", &number.to_string(), &content).await;
        }
    }
}
