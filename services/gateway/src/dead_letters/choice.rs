use eventsourcing::FieldError;
use messaging::{consumer::DeadLetterFilter, names};
use service_kit::Problem;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::reply;

/// Which dead letters, as a client says it: in a query string or in a body.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) consumer: Option<String>,
    pub(super) aggregate: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) after: Option<String>,
    pub(super) before: Option<String>,
}

impl Choice {
    /// The filter that is meant, or all that is wrong with it.
    pub(super) fn filter(self) -> Result<DeadLetterFilter, Problem> {
        let mut errors = Vec::new();
        let mut wrong = |field, detail| errors.push(FieldError::new(field, detail));
        if self.consumer.as_deref().is_some_and(|name| !names::is_token(name)) {
            wrong("consumer", "must be the name of a consumer");
        }
        let aggregate = self.aggregate.map(|id| id.parse());
        if let Some(Err(_)) = aggregate {
            wrong("aggregate", "must be a hyphenated UUID");
        }
        // It would fit every dead letter, and so look like a choice that it is not.
        if self.reason.as_deref() == Some("") {
            wrong("reason", "must not be empty");
        }
        let mut time = |field, text: Option<String>| {
            let time = text.map(|text| OffsetDateTime::parse(&text, &Rfc3339));
            if let Some(Err(_)) = time {
                wrong(field, "must be a time as in RFC 3339");
            }
            time.and_then(Result::ok)
        };
        let (after, before) = (time("after", self.after), time("before", self.before));
        if !errors.is_empty() {
            return Err(reply::invalid(errors));
        }
        let aggregate = aggregate.and_then(Result::ok);
        let (consumer, reason) = (self.consumer, self.reason);
        Ok(DeadLetterFilter { consumer, aggregate, reason, after, before })
    }
}
