//! What is measured of the requests that a service answers.

use std::{sync::Arc, time::Duration};

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};

use super::ServiceError;

const REQUESTS: &str = "service_requests_total";
const SECONDS: &str = "service_request_seconds";
/// The outcome of a request that was answered, be the answer a refusal.
const ANSWERED: &str = "answered";

/// The metrics of one kind of request, whose subject is the label.
#[derive(Debug, Clone)]
pub(super) struct RequestMetrics {
    subject: Arc<str>,
}

impl RequestMetrics {
    /// Those of the requests at `subject`, which is one that the service subscribes to.
    pub fn new(subject: &str) -> Self {
        describe_counter!(
            REQUESTS,
            Unit::Count,
            "Commands and queries that were worked on, by outcome: answered (refusals too), or the error's name"
        );
        describe_histogram!(
            SECONDS,
            Unit::Seconds,
            "How long a command or query was worked on, without its way over NATS"
        );
        let metrics = Self { subject: subject.into() };
        // There from the start: a rate needs a first value.
        metrics.count(ANSWERED, 0);
        metrics
    }

    /// A request was worked on for `took`.
    pub fn worked<T>(&self, outcome: &Result<T, ServiceError>, took: Duration) {
        let outcome = outcome.as_ref().map_or_else(|error| error.name(), |_| ANSWERED);
        self.count(outcome, 1);
        histogram!(SECONDS, "subject" => self.subject.clone()).record(took.as_secs_f64());
    }

    fn count(&self, outcome: &'static str, by: u64) {
        counter!(REQUESTS, "subject" => self.subject.clone(), "outcome" => outcome).increment(by);
    }
}
