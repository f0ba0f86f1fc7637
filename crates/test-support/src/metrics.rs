use std::sync::OnceLock;

use service_kit::telemetry;

/// The metric that Prometheus would see under `series`, such as `name{label="value"}`, and measures from the first call
/// on. A process has one set of metrics: tests that run together need labels of their own.
#[must_use]
pub fn metric(series: &str) -> Option<f64> {
    static RENDER: OnceLock<Box<dyn Fn() -> String + Send + Sync>> = OnceLock::new();
    let render = RENDER.get_or_init(|| {
        let handle = telemetry::init_metrics().expect("nobody else measures");
        Box::new(move || handle.render())
    });
    let text = render();
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map(|value| value.parse().expect("a number"))
}
