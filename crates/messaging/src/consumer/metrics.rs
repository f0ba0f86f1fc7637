//! What is measured of a consumer: every name and what it means, in one place.

use std::time::Duration;

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

/// How many events are yet to be handled.
const LAG_MESSAGES: &str = "consumer_lag_messages";
/// How old the oldest of them is.
const LAG_SECONDS: &str = "consumer_lag_seconds";
const EVENTS: &str = "consumer_events_total";
const RETRIES: &str = "consumer_retries_total";
const PARKED: &str = "consumer_parked_total";
const DEAD_LETTERS: &str = "consumer_dead_letters_total";
const HANDLING: &str = "consumer_handling_seconds";
const LANES: &str = "consumer_lanes";

/// The metrics of one consumer, which is their label.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConsumerMetrics {
    consumer: &'static str,
}

impl ConsumerMetrics {
    /// Those of `consumer`. What they mean is told to the exporter here, so make them when it is there.
    pub fn new(consumer: &'static str) -> Self {
        describe_gauge!(LAG_MESSAGES, Unit::Count, "Events that are not handled yet");
        describe_gauge!(LAG_SECONDS, Unit::Seconds, "Age of the oldest of them; 0 without any");
        describe_counter!(EVENTS, Unit::Count, "Events that were handled");
        describe_counter!(
            RETRIES,
            Unit::Count,
            "Attempts that failed and were followed by another"
        );
        describe_counter!(PARKED, Unit::Count, "Dead letters that only lie behind another one");
        describe_counter!(DEAD_LETTERS, Unit::Count, "Dead letters, the parked ones included");
        describe_histogram!(
            HANDLING,
            Unit::Seconds,
            "How long an attempt at an event, or a batch, took"
        );
        describe_gauge!(LANES, Unit::Count, "Aggregates that have events in hand");
        Self { consumer }
    }

    /// `messages` are not handled yet, the oldest of them is `oldest` old.
    pub fn lag(self, messages: u64, oldest: Duration) {
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        gauge!(LAG_MESSAGES, "consumer" => self.consumer).set(messages as f64);
        gauge!(LAG_SECONDS, "consumer" => self.consumer).set(oldest.as_secs_f64());
    }

    /// An event was handled.
    pub fn handled(self) {
        counter!(EVENTS, "consumer" => self.consumer).increment(1);
    }

    /// A batch of events was handled.
    pub fn all_handled(self, events: usize) {
        let events = u64::try_from(events).unwrap_or(u64::MAX);
        counter!(EVENTS, "consumer" => self.consumer).increment(events);
    }

    /// An attempt at an event, or at a batch of them, took so long, whatever came of it.
    pub fn attempted(self, took: Duration) {
        histogram!(HANDLING, "consumer" => self.consumer).record(took.as_secs_f64());
    }

    /// An event is tried again.
    pub fn retried(self) {
        counter!(RETRIES, "consumer" => self.consumer).increment(1);
    }

    /// A dead letter was stored.
    pub fn dead_letter(self) {
        counter!(DEAD_LETTERS, "consumer" => self.consumer).increment(1);
    }

    /// The dead letter was stored only because of another one.
    pub fn parked(self) {
        counter!(PARKED, "consumer" => self.consumer).increment(1);
    }

    /// So many aggregates have events in hand.
    pub fn lanes(self, lanes: usize) {
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        gauge!(LANES, "consumer" => self.consumer).set(lanes as f64);
    }
}
