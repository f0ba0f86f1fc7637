//! What the metrics mean that no component of its own describes.

use metrics::{Unit, describe_counter};

/// Tells the exporter; whoever connects does, as often as it likes.
pub(crate) fn describe() {
    describe_counter!(
        "nats_server_errors_total",
        Unit::Count,
        "Errors that nats-server reported, denied permissions among them"
    );
    describe_counter!(
        "nats_slow_consumer_total",
        Unit::Count,
        "Subscriptions that were full, so that messages were dropped"
    );
    describe_counter!(
        "append_outages_total",
        Unit::Count,
        "Times that the store began to refuse events"
    );
    describe_counter!(
        "history_gaps_total",
        Unit::Count,
        "Times that an event was found to be missing, by who found it"
    );
    describe_counter!(
        "snapshots_dropped_total",
        Unit::Count,
        "Snapshots that were not written, because too many waited"
    );
    describe_counter!(
        "stream_renewals_total",
        Unit::Count,
        "Times that the stream of events was given a new identity"
    );
}
