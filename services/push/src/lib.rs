#![doc = include_str!("../README.md")]

mod frame;
mod hub;
mod metrics;
mod places;
mod queue;
mod replay;
mod socket;

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use axum::{Router, routing::any};
use messaging::{
    Connection, Feed, Link, NatsSettings, Throttle,
    feed::{FeedError, FeedReader},
    history,
};
use serde::Deserialize;
use service_kit::{
    Context, Lifecycle, Origins,
    auth::{AuthSettings, Tokens},
    health::State,
};
use tokio::sync::Semaphore;

use crate::{hub::Hub, places::Places};

/// The service's name: its NATS user.
pub const NAME: &str = "push";

/// How many clients replay the past at once.
const MAX_REPLAYS: usize = 64;
/// How many events the hub takes at once.
const MAX_BATCH: usize = 256;

/// The pause before another attempt to open the stream.
const REOPEN_PAUSE: Duration = Duration::from_millis(250);

/// What the service reads of the settings.
#[derive(Debug, Clone, Deserialize)]
pub struct Settings {
    /// Where NATS is.
    pub nats: NatsSettings,
    /// How tokens are checked.
    pub auth: AuthSettings,
    /// What it needs of the public address.
    pub http: WebSettings,
    /// Its own section.
    pub push: PushSettings,
}

/// What a socket needs of `[http]`.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct WebSettings {
    /// The web origins whose pages may open a socket, beside its own.
    pub allowed_origins: Origins,
}

/// `[push]`
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct PushSettings {
    /// Bytes that may wait for one client.
    pub max_queued_bytes: NonZeroUsize,
    /// Topics of one client.
    pub max_topics: NonZeroUsize,
    /// Clients at once.
    pub max_clients: NonZeroUsize,
    /// Clients at once that have not authenticated.
    pub max_anonymous_clients: NonZeroUsize,
    /// The same for one address.
    pub max_anonymous_clients_per_address: NonZeroUsize,
    /// From a message's first byte to its last, in milliseconds.
    pub message_timeout_ms: u64,
    /// Bytes that unfinished and unanswered messages of all anonymous clients may have together.
    pub max_anonymous_unfinished_bytes: NonZeroUsize,
}

impl PushSettings {
    fn message_timeout(&self) -> Duration {
        Duration::from_millis(self.message_timeout_ms)
    }
}

/// What every socket needs. Cheap to clone.
#[derive(Clone)]
struct Push {
    hub: Arc<Hub>,
    feed: Feed,
    tokens: Arc<Tokens>,
    origins: Origins,
    lifecycle: Lifecycle,
    settings: PushSettings,
    places: Arc<Places>,
    /// Bytes of large messages of clients that nobody knows.
    unfinished: Arc<Semaphore>,
    replays: Arc<Semaphore>,
}

/// Runs the service until it is told to stop.
pub async fn run(settings: Settings, context: Context) -> anyhow::Result<()> {
    let ready = context.health.component("push");
    let tokens = Arc::new(Tokens::new(&settings.auth)?);
    let stop = context.lifecycle.stop_token();
    let Some(connection) = Connection::open(&settings.nats, NAME, stop).await? else {
        return Ok(());
    };
    context.health.follow("push: nats", connection.link(), Link::problem);
    context.health.follow("push: permissions", connection.permissions(), Option::clone);
    context.health.follow("push: stream", connection.reading(), Option::clone);
    context.health.follow_state("push: history", connection.damage(), |damage| {
        history::warning(damage).map_or(State::Ready, State::Warning)
    });
    let feed = Feed::shared(connection.clone(), NAME);
    let (stream, position) = feed.end().await?;
    let events = feed.after_in(stream, position).await?;
    metrics::describe();
    let hub = Arc::new(Hub::new(stream, position));
    let push = Push {
        hub: hub.clone(),
        feed: feed.clone(),
        tokens,
        origins: settings.http.allowed_origins,
        lifecycle: context.lifecycle.clone(),
        settings: settings.push,
        places: Arc::new(Places::new(&settings.push)),
        unfinished: Arc::new(Semaphore::new(settings.push.max_anonymous_unfinished_bytes.get())),
        replays: Arc::new(Semaphore::new(MAX_REPLAYS)),
    };
    let routes = Router::new().route("/ws", any(socket::upgrade)).with_state(push);
    let address = context.site.mount(routes).await?;
    tracing::info!(%address, "live socket is served");
    ready.ready();
    tokio::select! {
        () = stop.cancelled() => {}
        () = hand_out(&feed, events, &hub) => {}
    }
    // Sockets may still replay; each ends by itself, and the connection after the last.
    Ok(())
}

/// Hands out what `events` reads, and what the next stream has when it is replaced.
async fn hand_out(feed: &Feed, mut events: FeedReader, hub: &Hub) {
    loop {
        match events.next_batch(MAX_BATCH).await {
            Ok(batch) => hub.publish(&batch),
            Err(replaced) => {
                tracing::error!(%replaced, "live sockets are closed: their clients have to come back");
                events = reopen(feed, hub).await;
            }
        }
    }
}

/// A reader from the end of the stream that is there now, which the hub hands out from there on.
async fn reopen(feed: &Feed, hub: &Hub) -> FeedReader {
    let warnings = Throttle::new();
    loop {
        let opened = async {
            let (stream, position) = feed.end().await?;
            Ok::<_, FeedError>((stream, position, feed.after_in(stream, position).await?))
        };
        match opened.await {
            Ok((stream, position, events)) => {
                hub.replace(stream, position);
                if let Some(held_back) = warnings.over() {
                    tracing::info!(held_back, "the feed is open again");
                }
                return events;
            }
            Err(error) => {
                if let Some(held_back) = warnings.pass() {
                    tracing::warn!(%error, held_back, "opening the feed failed");
                }
                tokio::time::sleep(REOPEN_PAUSE).await;
            }
        }
    }
}
