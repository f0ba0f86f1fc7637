//! How long the client wants to wait (RFC 7240).

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

const PREFER: HeaderName = HeaderName::from_static("prefer");
/// Says which preference the response follows.
pub(crate) const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// What a request says about waiting. Preferences that are not known, or not understood, are passed over, as the RFC
/// wants it; the first of several equal ones counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Prefer {
    respond_async: bool,
    wait: Option<u32>,
}

impl Prefer {
    pub(super) fn read(headers: &HeaderMap) -> Self {
        let (mut prefer, mut seen_wait) = (Self::default(), false);
        let values = headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
        for preference in values.flat_map(|value| value.split(',')) {
            // Parameters behind a semicolon are for preferences that have some.
            let preference = preference.split(';').next().unwrap_or_default();
            let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
            let (name, value) = (name.trim().to_ascii_lowercase(), value.trim().trim_matches('"'));
            match name.as_str() {
                "respond-async" => prefer.respond_async = true,
                "wait" if !seen_wait => {
                    seen_wait = true;
                    prefer.wait = value.parse().ok();
                }
                _ => {}
            }
        }
        prefer
    }

    /// How long to wait for the outcome before the command is left to the queue, no longer than `longest`; `None` when
    /// the client wants the outcome itself.
    pub(crate) fn patience(self, longest: Duration) -> Option<Duration> {
        match self.wait {
            Some(seconds) => Some(Duration::from_secs(seconds.into()).min(longest)),
            None => self.respond_async.then_some(Duration::ZERO),
        }
    }

    /// What a response that leaves the command to the queue after `patience` says it has followed.
    pub(crate) fn applied(self, patience: Duration) -> HeaderValue {
        let wait = self.wait.map(|_| format!("wait={}", patience.as_secs()));
        // Digits make a header value, always.
        wait.and_then(|wait| HeaderValue::try_from(wait).ok())
            .unwrap_or(HeaderValue::from_static("respond-async"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefer(values: &[&str]) -> Prefer {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(PREFER, HeaderValue::from_str(value).expect("a value"));
        }
        Prefer::read(&headers)
    }

    #[test]
    fn preferences_are_read_in_every_form_and_others_passed_over() {
        let (both, none) = (Prefer { respond_async: true, wait: Some(10) }, Prefer::default());
        assert_eq!(prefer(&["respond-async, wait=10"]), both);
        assert_eq!(prefer(&["Respond-Async", "WAIT = \"10\"; x=y, wait=3"]), both);
        assert_eq!(prefer(&["return=minimal, wait=soon", "wait=-1", ",;="]), none);
        assert_eq!(prefer(&["wait=99999999999"]), none);
        assert_eq!(prefer(&["wait=soon, wait=3"]), none);
    }

    #[test]
    fn waiting_is_bounded() {
        let longest = Duration::from_secs(5);
        assert_eq!(prefer(&[]).patience(longest), None);
        assert_eq!(prefer(&["respond-async"]).patience(longest), Some(Duration::ZERO));
        assert_eq!(prefer(&["wait=2"]).patience(longest), Some(Duration::from_secs(2)));
        assert_eq!(prefer(&["wait=60"]).patience(longest), Some(longest));
        assert_eq!(prefer(&["wait=60"]).applied(longest), "wait=5");
        assert_eq!(prefer(&["respond-async"]).applied(Duration::ZERO), "respond-async");
    }
}
