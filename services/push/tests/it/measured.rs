//! What the push service does is measured.

use serde_json::json;
use test_support::{eventually, metric};

use crate::service::TestService;

/// At least `count`: other tests of the process add to the same series.
async fn reaches(series: &str, count: f64) {
    eventually(series, async || metric(series).filter(|value| *value >= count)).await;
}

#[tokio::test]
async fn events_replays_and_ends_of_sockets_are_measured() {
    // Measures from here on.
    let _ = metric("push_clients");
    let service = TestService::start().await;
    service.write(2, 1).await;
    let mut client = service.client().await;
    client.subscribe(json!(["articles"]), Some(0)).await;
    client.events(2).await;
    reaches("push_replayed_frames_total", 2.0).await;
    service.write(1, 1).await;
    client.events(1).await;
    reaches("push_frames_total", 1.0).await;
    reaches("push_clients", 1.0).await;
    client.close(Some(1000)).await;
    reaches("push_sockets_ended_total{reason=\"closed-by-client\"}", 1.0).await;
}
