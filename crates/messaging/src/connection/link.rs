//! The state of the link to the server, as the client tells it.

use async_nats::Event;
use tokio::sync::watch;

use crate::{Throttle, permissions::Denials};

const LINKED: &str = "nats_connected";

/// The state of the link, as of the last change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Link {
    /// Whether there is a connection now.
    pub connected: bool,
    /// How often there was a new one: a change means that the server may have forgotten its memory.
    pub connects: u64,
    /// Whether it is over for good.
    pub closed: bool,
}

impl Link {
    /// Why a service that needs NATS is not ready, if it is not.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        (!self.connected).then(|| "not connected to NATS".to_owned())
    }
}

/// Notes what the client tells.
pub(super) fn note(event: &Event, service: &str, changes: &watch::Sender<Link>, denials: &Denials) {
    static AWAY: Throttle = Throttle::new();
    static REFUSED: Throttle = Throttle::new();
    static FULL: Throttle = Throttle::new();
    match event {
        Event::Connected => {
            measure_link(service, true);
            changes.send_modify(|link| {
                *link = Link { connected: true, connects: link.connects + 1, closed: false };
            });
            let is_first = changes.borrow().connects == 1;
            let held_back = AWAY.over();
            if is_first || held_back.is_some() {
                tracing::info!(held_back, "NATS connected");
            }
        }
        Event::Disconnected => {
            measure_link(service, false);
            changes.send_modify(|link| link.connected = false);
            if let Some(held_back) = AWAY.pass() {
                tracing::warn!(held_back, "NATS disconnected");
            }
        }
        Event::Closed => {
            measure_link(service, false);
            changes.send_modify(|link| {
                *link = Link { connected: false, closed: true, ..*link };
            });
        }
        // A denied publish or subscription shows nowhere else: its caller only times out.
        Event::ServerError(error) => {
            metrics::counter!("nats_server_errors_total").increment(1);
            denials.note(&error.to_string());
            if let Some(held_back) = REFUSED.pass() {
                tracing::error!(%error, held_back, "NATS server error");
            }
        }
        Event::SlowConsumer(_) => {
            metrics::counter!("nats_slow_consumer_total").increment(1);
            if let Some(held_back) = FULL.pass() {
                tracing::warn!(held_back, "NATS subscription is full, messages were dropped");
            }
        }
        other => tracing::debug!(event = %other, "NATS event"),
    }
}

fn measure_link(service: &str, is_connected: bool) {
    metrics::describe_gauge!(LINKED, "1 while the service is connected to NATS, 0 otherwise");
    metrics::gauge!(LINKED, "service" => service.to_owned()).set(f64::from(u8::from(is_connected)));
}
