//! How fast a generation is filled.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use async_nats::jetstream::consumer::pull::OrderedConfig;
use futures_util::StreamExt;
use messaging::names;
use test_support::NatsServer;

use super::{stage::Stage, writer::Writer};
use crate::report::Rebuild;

/// Writes a second, while a rebuild goes on, as far as the machine keeps up.
const RATE: u64 = 500;

/// How long the bare client takes to consume `events` events, in order, doing nothing with them.
pub(super) async fn bare(server: &NatsServer, events: u64) -> anyhow::Result<Duration> {
    let jetstream = async_nats::jetstream::new(server.client("push").await);
    let config = OrderedConfig {
        // The permissions want one that has a name.
        name: Some("push-bench".to_owned()),
        filter_subject: names::EVENTS_OF_AGGREGATES.to_owned(),
        ..OrderedConfig::default()
    };
    let start = Instant::now();
    let consumer = jetstream.create_consumer_on_stream(config, names::EVENTS).await?;
    let mut messages = consumer.messages().await?;
    for _ in 0..events {
        messages.next().await.context("the stream ended")??;
    }
    Ok(start.elapsed())
}

/// A rebuild, and a rebuild while articles are written and read. One more must find every row of that equal to its own.
pub(super) async fn measure(
    database: &str,
    server: &NatsServer,
    stage: &Stage,
    events: u64,
    bare: &Duration,
) -> anyhow::Result<Vec<Rebuild>> {
    let mut rows = vec![Rebuild::new(database, "bare consumer", events, *bare, *bare)];
    let start = Instant::now();
    stage.rebuild(false).await?;
    rows.push(Rebuild::new(database, "rebuild", events, start.elapsed(), *bare));
    let writer = Writer::start(server, &stage.queries, RATE).await;
    let start = Instant::now();
    let rebuilt = stage.rebuild(false).await;
    let elapsed = start.elapsed();
    // A read that failed or was stale is an error here.
    let written = writer.finish().await?;
    rebuilt?;
    let how = format!("and {} writes/s", written.rate);
    rows.push(Rebuild::new(database, &how, events, elapsed, *bare));
    stage.rebuild(true).await.context("comparing the rows")?;
    for row in &rows {
        service_kit::output::complain(row);
    }
    Ok(rows)
}
