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
