//! Logs and metrics of a process.

use std::io::IsTerminal as _;

use metrics::{describe_gauge, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::{
    http::measure,
    settings::{LogFormat, LogSettings, SettingsError},
};

const BUILD_INFO: &str = "newswire_build_info";

/// Bounds of duration histograms, in seconds.
const SECONDS: [f64; 12] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// How much is logged, from nothing to everything.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// A setting is wrong.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Something in the process logs or measures already.
    #[error("telemetry is set up already: {0}")]
    Twice(String),
}

/// Logs to standard error from here on. Standard output is for what a command is asked for.
pub fn init_logs(settings: &LogSettings) -> Result<(), TelemetryError> {
    let filter = filter(&settings.level)?;
    let terminal = std::io::stderr().is_terminal();
    let json = match settings.format {
        LogFormat::Auto => !terminal,
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let registry = tracing_subscriber::registry().with(filter);
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(terminal);
    // A line that cannot be written is lost. To complain about it on standard error would be a panic.
    let lines = lines.log_internal_errors(false);
    let result = if json {
        registry.with(lines.json().flatten_event(true).with_span_list(false)).try_init()
    } else {
        registry.with(lines).try_init()
    };
    result.map_err(|error| TelemetryError::Twice(error.to_string()))
}

/// What `text` lets through. The parser takes any word for the name of a target, and with it turns everything else off; so
/// a word that stands alone must be a level here. Errors are let through unless `text` says how much of everything is.
fn filter(text: &str) -> Result<EnvFilter, SettingsError> {
    let wrong = |what: &str| {
        let levels = LEVELS.join(", ");
        let expected = format!(
            "{what}: one of {levels} was expected, or a filter such as \"info,push=debug\""
        );
        SettingsError::wrong("log.level", expected)
    };
    let mut directives: Vec<&str> =
        text.split(',').map(str::trim).filter(|directive| !directive.is_empty()).collect();
    let bare = |directive: &&&str| !directive.contains(['=', '[']);
    let is_level = |word: &str| LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word));
    if let Some(word) = directives.iter().filter(bare).find(|word| !is_level(word)) {
        return Err(wrong(&format!("\"{word}\" is not a level")));
    }
    if directives.is_empty() {
        return Err(wrong("nothing is in it"));
    }
    if !directives.iter().any(|directive| bare(&directive)) {
        directives.insert(0, "error");
    }
    EnvFilter::try_new(directives.join(",")).map_err(|error| wrong(&error.to_string()))
}

/// Measures from here on; the handle renders what was measured for Prometheus.
pub fn init_metrics() -> Result<PrometheusHandle, TelemetryError> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(|error| TelemetryError::Twice(error.to_string()))
}

/// Says what is measured of every process, and which program the process `service` is.
pub(crate) fn describe(service: &'static str) {
    measure::describe();
    describe_gauge!(BUILD_INFO, "1, with the service and the version of its program");
    gauge!(BUILD_INFO, "service" => service, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_or_a_filter_is_taken_and_never_silences_errors_by_accident() {
        for (text, max) in [
            ("warn", "warn"),
            ("INFO", "info"),
            ("off", "off"),
            (" info , async_nats=warn ", "info"),
            ("push=debug", "debug"),
            ("[request]=trace,warn", "trace"),
        ] {
            let hint = filter(text).expect(text).max_level_hint().expect("a level");
            assert_eq!(hint.to_string(), max, "{text}");
        }
        assert!(filter("push=debug").expect("a filter").to_string().contains("error"));
    }

    #[test]
    fn a_word_that_is_no_level_is_named() {
        for text in ["warning", "loud", "", ",", "info,loud", "push", "push=loud", "a=b=c", "[x"] {
            let error = filter(text).expect_err(text).to_string();
            assert!(error.contains("log.level") && error.contains("warn"), "{text}: {error}");
        }
    }
}
