//! The private address: `/livez`, `/readyz`, `/metrics`.

use std::collections::BTreeMap;

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;

use crate::{Health, health};

/// Prometheus' text format.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The probes. `/livez` depends on nothing but the process: restarting it mends nothing else.
pub fn probes(health: Health) -> Router {
    Router::new().route("/livez", get(livez)).route("/readyz", get(readyz)).with_state(health)
}

/// Everything on the private address.
pub fn routes(health: Health, metrics: PrometheusHandle) -> Router {
    let process = metrics_process::Collector::default();
    process.describe();
    let metrics = get(move || async move {
        process.collect();
        ([(header::CONTENT_TYPE, EXPOSITION)], metrics.render())
    });
    probes(health).route("/metrics", metrics)
}

async fn livez() -> &'static str {
    "ok"
}

async fn readyz(State(health): State<Health>) -> Response {
    #[derive(Serialize)]
    struct Body {
        ready: bool,
        components: BTreeMap<String, health::State>,
    }
    let body = Body { ready: health.is_ready(), components: health.snapshot() };
    let status = if body.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(body)).into_response()
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::Request};
    use metrics_exporter_prometheus::PrometheusBuilder;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn metrics_are_in_prometheus_format_and_tell_of_build_and_process() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        // This runtime has one thread, so whatever is measured here is measured there.
        let _measuring = metrics::set_default_local_recorder(&recorder);
        crate::telemetry::describe("test");
        let request = Request::get("/metrics").body(Body::empty()).expect("a request");
        let response = routes(Health::default(), handle).oneshot(request).await.expect("answered");
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "text/plain; version=0.0.4; charset=utf-8"
        );
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.expect("a body");
        let text = String::from_utf8(body.to_vec()).expect("text");
        for name in [
            "newswire_build_info",
            "process_resident_memory_bytes",
            "process_virtual_memory_bytes",
            "process_cpu_seconds_total",
            "process_open_fds",
            "process_max_fds",
            "process_start_time_seconds",
        ] {
            assert!(text.contains(&format!("# HELP {name} ")), "{name}: {text}");
            let is_line = |line: &str| line.starts_with(name);
            assert!(text.lines().any(is_line), "{name}: {text}");
        }
        assert!(text.contains("service=\"test\",version=\""), "{text}");
    }
}
