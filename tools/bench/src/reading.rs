//! The read side: rebuilds beside a bare consumer, how late a write is visible, reads beside a bare handler.

mod lag;
mod rebuild;
mod stage;
mod story;
mod writer;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use axum::{Router, routing::get};
use test_support::{NatsServer, PostgresServer};

use self::stage::Stage;
use crate::{
    http::Repeater,
    load,
    report::{Read, Reading, Rebuild},
    ways::{Get, Way},
};

/// Clients that read at once.
const READERS: usize = 16;

/// Measures all of it on both databases, with `events` events to begin with.
pub async fn measure(events: u64, duration: Duration) -> anyhow::Result<Reading> {
    let mut reading = Reading::default();
    for database in ["sqlite", "postgres"] {
        let server = NatsServer::provisioned_with_sync("1s").await;
        let article = story::tell(&server, events).await?;
        let bare = rebuild::bare(&server, events).await?;
        let folder = tempfile::tempdir().context("no temporary folder")?;
        let postgres = match database {
            "postgres" => Some(PostgresServer::start().await),
            _ => None,
        };
        let url = postgres.as_ref().map(PostgresServer::url).unwrap_or_default();
        let start = Instant::now();
        let stage = Stage::start(&server, folder.path(), &url).await?;
        stage.reaches(events).await?;
        reading.rebuilds.push(Rebuild::new(database, "first start", events, start.elapsed(), bare));
        reading.rebuilds.extend(rebuild::measure(database, &server, &stage, events, &bare).await?);
        reading.lags.extend(lag::measure(database, &server, &stage, duration).await?);
        reading.reads.extend(reads(database, &stage, &article, duration).await?);
        stage.stop().await?;
    }
    Ok(reading)
}

/// GET one, a list, a search, beside a handler of axum's that answers at once.
async fn reads(
    database: &str,
    stage: &Stage,
    article: &str,
    duration: Duration,
) -> anyhow::Result<Vec<Read>> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let bare = listener.local_addr()?.to_string();
    let routes = Router::new().route("/", get(async || "an answer"));
    let server = tokio::spawn(async move { axum::serve(listener, routes).await });
    let article = format!("/api/articles/{article}");
    let word = story::word(7);
    let (address, search) = (stage.address.as_str(), format!("/api/articles?q={word}"));
    let paths = [
        ("bare axum", bare.as_str(), "/"),
        ("get one", address, article.as_str()),
        ("list of 20", address, "/api/articles"),
        ("search", address, search.as_str()),
    ];
    let way =
        |address: &str, path: &str| Arc::new(Get(Repeater::get(address, path))) as Arc<dyn Way>;
    let ways: Vec<_> = paths.iter().map(|(_, address, path)| way(address, path)).collect();
    let measured = load::measure(READERS, duration, &ways).await?;
    server.abort();
    let names = paths.iter().map(|(name, ..)| *name);
    let reads =
        names.zip(&measured).map(|(name, one)| Read::new(database, name, one, &measured[0]));
    let reads: Vec<Read> = reads.collect();
    for read in &reads {
        service_kit::output::complain(read);
    }
    Ok(reads)
}
