//! What is measured of live sockets.

use metrics::{counter, describe_counter, describe_gauge, gauge};

const CLIENTS: &str = "push_clients";
const FRAMES: &str = "push_frames_total";
const REPLAYED: &str = "push_replayed_frames_total";
const ENDED: &str = "push_sockets_ended_total";

/// Tells the exporter what there is; counters and gauges begin with 0.
pub(crate) fn describe() {
    describe_gauge!(CLIENTS, "Sockets that are open");
    describe_counter!(FRAMES, "Events that were queued for clients, live: one for each client");
    describe_counter!(
        REPLAYED,
        "Events that were sent to clients that resume, one for each client"
    );
    describe_counter!(ENDED, "Sockets that ended, by reason");
    clients(0);
    frames(0);
    replayed(0);
    counter!(ENDED, "reason" => "closed-by-client").increment(0);
}

/// So many clients are connected.
pub(crate) fn clients(clients: usize) {
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    gauge!(CLIENTS).set(clients as f64);
}

/// An event was queued for `clients` of them.
pub(crate) fn frames(clients: u64) {
    counter!(FRAMES).increment(clients);
}

/// A client that resumes was sent `events` of the past.
pub(crate) fn replayed(events: u64) {
    counter!(REPLAYED).increment(events);
}

/// A socket ended for `reason`, which is one of few.
pub(crate) fn ended(reason: &'static str) {
    counter!(ENDED, "reason" => reason).increment(1);
}
