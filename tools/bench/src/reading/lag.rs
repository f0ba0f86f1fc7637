//! How long after its append an article is visible.

use std::time::Duration;

use test_support::NatsServer;

use super::{stage::Stage, writer::Writer};
use crate::{load::Measured, report::Lag};

/// Writes a second, as far as the machine keeps up.
const RATE: u64 = 1000;

pub(super) async fn measure(
    database: &str,
    server: &NatsServer,
    stage: &Stage,
    duration: Duration,
) -> anyhow::Result<Vec<Lag>> {
    let writer = Writer::start(server, &stage.queries, RATE).await;
    tokio::time::sleep(duration).await;
    let written = writer.finish().await?;
    let lag = Lag::new(database, written.rate, &Measured::new(written.seen, duration));
    service_kit::output::complain(&lag);
    Ok(vec![lag])
}
