use clap::Args;
use eventsourcing::AggregateId;
use messaging::{consumer::DeadLetterFilter, names};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Which dead letters: those that fit all that is said.
#[derive(Debug, Args)]
pub struct Choice {
    /// Of this consumer, such as notification
    #[arg(long, value_name = "NAME", value_parser = consumer)]
    consumer: Option<String>,
    /// Of this aggregate
    #[arg(long, value_name = "ID")]
    aggregate: Option<AggregateId>,
    /// Whose reason contains this text
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Given up on after this time (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = time)]
    after: Option<OffsetDateTime>,
    /// Given up on before this time (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = time)]
    before: Option<OffsetDateTime>,
}

fn consumer(text: &str) -> Result<String, String> {
    let name = names::is_token(text).then(|| text.to_owned());
    name.ok_or_else(|| "the name of a consumer was expected".to_owned())
}

fn time(text: &str) -> Result<OffsetDateTime, String> {
    OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|_| "a time such as 2026-01-31T12:00:00Z was expected".to_owned())
}

impl Choice {
    /// The same as the consumers' filter.
    pub(super) fn filter(&self) -> DeadLetterFilter {
        let Self { consumer, aggregate, reason, after, before } = self;
        DeadLetterFilter {
            consumer: consumer.clone(),
            aggregate: *aggregate,
            reason: reason.clone(),
            after: *after,
            before: *before,
        }
    }
}
