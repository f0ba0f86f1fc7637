use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use eventsourcing::Actor;
use gateway::GatewaySettings;
use messaging::{FingerprintSettings, RequestClient};
use service_kit::{Context, auth::Tokens};
use test_support::{NatsServer, context, ready, user};

use crate::ways::{OverHttp, OverNats, Raw, Way};

/// How long a service may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A nats-server, the article service and the gateway.
pub struct System {
    // Ends with the value.
    _server: NatsServer,
    context: Context,
    raw: Arc<dyn Way>,
    command: Arc<dyn Way>,
    claim: Arc<dyn Way>,
    http: Arc<dyn Way>,
}

impl System {
    /// Starts one whose server syncs as `sync` says.
    pub async fn start(sync: &str) -> anyhow::Result<Self> {
        let server = NatsServer::provisioned_with_sync(sync).await;
        let context = context();
        let auth = test_support::auth();
        let token = Tokens::new(&auth)?.mint("ann", &[], Duration::from_hours(1))?;
        let article = article::Settings {
            nats: server.settings(article::NAME),
            fingerprint: fingerprint(),
            article: article::ArticleSettings::default(),
        };
        context.lifecycle.run(article::NAME, article::run(article, context.clone()));
        let milliseconds = 10_000;
        let gateway = gateway::Settings {
            nats: server.settings(gateway::NAME),
            auth,
            fingerprint: fingerprint(),
            gateway: GatewaySettings {
                command_timeout_ms: milliseconds,
                query_timeout_ms: milliseconds,
            },
        };
        context.lifecycle.run(gateway::NAME, gateway::run(gateway, context.clone()));
        ready(&context).await;
        let address = context.site.address().await.context("the gateway is not mounted")?;
        let actor = Actor { user_id: user("ann"), roles: Vec::new() };
        let jetstream = async_nats::jetstream::new(server.client("article").await);
        let client = RequestClient::new(server.connect("gateway").await, TIMEOUT);
        Ok(Self {
            raw: Arc::new(Raw { jetstream, actor: actor.clone() }),
            command: Arc::new(OverNats {
                client: client.clone(),
                actor: actor.clone(),
                claims: false,
            }),
            claim: Arc::new(OverNats { client, actor, claims: true }),
            http: Arc::new(OverHttp::new(&address.to_string(), &token)?),
            _server: server,
            context,
        })
    }

    /// Every way to store an event, the bare client first.
    pub fn ways(&self) -> [(&'static str, Arc<dyn Way>); 4] {
        [
            ("raw", self.raw.clone()),
            ("command", self.command.clone()),
            ("http", self.http.clone()),
            ("claim", self.claim.clone()),
        ]
    }

    /// Ends everything.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.context.lifecycle.finish().await
    }
}

/// As an installation has them: with a key.
pub fn fingerprint() -> FingerprintSettings {
    FingerprintSettings { key: "0123456789abcdef0123456789abcdef".into() }
}
