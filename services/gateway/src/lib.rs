#![doc = include_str!("../README.md")]

mod activity;
mod articles;
mod authors;
mod comments;
mod cursor;
mod dead_letters;
mod dispatch;
mod history;
mod link;
mod operations;
mod reply;
mod request;
mod routes;

use std::{sync::Arc, time::Duration};

use messaging::{
    CommandQueue, Connection, FingerprintSettings, Link, NatsSettings, RequestClient,
    consumer::DeadLetterBox, names, permissions::NOTHING,
};
use serde::Deserialize;
use service_kit::{
    Context,
    auth::{AuthSettings, Tokens},
};

/// The service's name: its NATS user.
pub const NAME: &str = "gateway";

/// What the service reads of the settings.
#[derive(Debug, Clone, Deserialize)]
pub struct Settings {
    /// Where NATS is.
    pub nats: NatsSettings,
    /// How tokens are checked.
    pub auth: AuthSettings,
    /// How repeats of commands are recognised.
    pub fingerprint: FingerprintSettings,
    /// Its own section.
    pub gateway: GatewaySettings,
}

/// `[gateway]`
#[derive(Debug, Clone, Deserialize)]
pub struct GatewaySettings {
    /// How long a service may take to answer a command, in milliseconds.
    pub command_timeout_ms: u64,
    /// The same for a query.
    pub query_timeout_ms: u64,
}

/// What every endpoint needs. Cheap to clone.
#[derive(Clone)]
struct Gateway {
    commands: RequestClient,
    queries: RequestClient,
    queue: CommandQueue,
    dead_letters: DeadLetterBox,
    /// For what is asked of a consumer.
    connection: Connection,
    /// The longest that a client may have a command waited for before it goes to the queue.
    command_timeout: Duration,
    tokens: Arc<Tokens>,
}

/// Runs the service until it is told to stop.
pub async fn run(settings: Settings, context: Context) -> anyhow::Result<()> {
    let ready = context.health.component("gateway");
    let tokens = Arc::new(Tokens::new(&settings.auth)?);
    let fingerprints = settings.fingerprint.fingerprints()?;
    let stop = context.lifecycle.stop_token();
    let Some(connection) = Connection::open(&settings.nats, NAME, stop).await? else {
        return Ok(());
    };
    context.health.follow("gateway: nats", connection.link(), Link::problem);
    context.health.follow("gateway: permissions", connection.permissions(), Option::clone);
    let client =
        |milliseconds| RequestClient::new(connection.clone(), Duration::from_millis(milliseconds));
    let gateway = Gateway {
        commands: client(settings.gateway.command_timeout_ms),
        queries: client(settings.gateway.query_timeout_ms),
        queue: CommandQueue::new(connection.clone()).with_fingerprints(fingerprints),
        dead_letters: DeadLetterBox::new(connection.clone()),
        command_timeout: Duration::from_millis(settings.gateway.command_timeout_ms),
        tokens,
        connection,
    };
    let sends = [names::any_command(), names::any_query()].map(|subject| (subject, NOTHING));
    let _asking = gateway.connection.ask(sends.to_vec());
    let address = context.site.mount(routes::routes(gateway)).await?;
    tracing::info!(%address, "REST is served");
    ready.ready();
    // The site lets requests in flight end; the connection must outlive them, so nothing closes it here.
    stop.cancelled().await;
    Ok(())
}
