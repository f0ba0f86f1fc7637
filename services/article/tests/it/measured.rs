//! What the article service does is measured.

use test_support::{eventually, metric};

use crate::{TestService, by_ann, create};

/// At least `count`: other tests of the process add to the same series.
async fn reaches(series: &str, count: f64) {
    eventually(series, async || metric(series).filter(|value| *value >= count)).await;
}

#[tokio::test]
async fn commands_requests_and_the_link_are_measured() {
    // Measures from here on.
    let _ = metric("nats_connected");
    let service = TestService::on_jetstream().await;
    let command = by_ann(create());
    service.accept(command.clone()).await;
    service.accept(command).await;
    reaches("article_commands_total{command=\"create\",outcome=\"accepted\"}", 1.0).await;
    reaches("article_commands_total{command=\"create\",outcome=\"repeated\"}", 1.0).await;
    let requests = "subject=\"commands.article.create\"";
    reaches(&format!("service_requests_total{{{requests},outcome=\"answered\"}}"), 2.0).await;
    reaches(&format!("service_request_seconds_count{{{requests}}}"), 2.0).await;
    reaches("nats_connected{service=\"article\"}", 1.0).await;
}
