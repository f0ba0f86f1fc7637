//! How commands ended, counted.

use std::sync::Arc;

use eventsourcing::{Command, Reply};
use messaging::ServiceError;
use metrics::Counter;

/// Counts how the commands of one verb ended.
#[derive(Clone)]
pub(crate) struct Outcomes(Arc<Counters>);

struct Counters {
    accepted: Counter,
    repeated: Counter,
    refused: Counter,
    failed: Counter,
}

/// The metrics of one service.
struct Named(&'static str);

impl Named {
    /// The full name of the service's counter `name`.
    fn counter(&self, name: &str) -> String {
        format!("{}_{name}", self.0)
    }
}

impl Outcomes {
    /// Those of `C` in `service`. They are there from the start: a rate needs a first value.
    pub(crate) fn of<C: Command>(service: &'static str) -> Self {
        let named = Named(service);
        metrics::describe_counter!(
            named.counter("commands_total"),
            "Commands, from requests and from the queue: accepted, repeated (accepted before), refused, failed"
        );
        let of = |outcome: &'static str| {
            let counter = metrics::counter!(named.counter("commands_total"), "command" => C::VERB, "outcome" => outcome);
            counter.increment(0);
            counter
        };
        Self(Arc::new(Counters {
            accepted: of("accepted"),
            repeated: of("repeated"),
            refused: of("refused"),
            failed: of("failed"),
        }))
    }

    /// Counts `reply`, and gives it back.
    pub(crate) fn count<V>(
        &self,
        reply: Result<Reply<V>, ServiceError>,
    ) -> Result<Reply<V>, ServiceError> {
        let counter = match &reply {
            Ok(Reply::Accepted(accepted)) if accepted.repeated => &self.0.repeated,
            Ok(Reply::Accepted(_)) => &self.0.accepted,
            Ok(Reply::Refused(_)) => &self.0.refused,
            Err(_) => &self.0.failed,
        };
        counter.increment(1);
        reply
    }
}
