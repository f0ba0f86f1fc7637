//! Why there is no answer: what does not answer, and whether a write is stored. The one place where errors get a status.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt::Debug,
    sync::{Arc, Mutex, PoisonError},
};

use axum::http::StatusCode;
use eventsourcing::StoreError;
use messaging::{
    EnqueueError, Operation, RequestError, ServiceError, Throttle, consumer::DeadLetterError,
};
use service_kit::Problem;

use super::refusal::refused;

/// What a request needs an answer of.
pub(super) struct Source {
    /// As people know it.
    name: Cow<'static, str>,
    /// The service that answers for it.
    service: &'static str,
    /// Held back: what goes on while it is away. One for each source, since the others answer meanwhile.
    failures: Throttle,
}

impl Source {
    const fn new(name: &'static str, service: &'static str) -> Self {
        Self { name: Cow::Borrowed(name), service, failures: Throttle::new() }
    }
}

/// The service that decides the commands of `context`, which has the name of its service.
pub(super) fn owner(context: &'static str) -> Arc<Source> {
    source(&OWNERS, context, |context| format!("the {context} service"))
}

/// Where the past of the aggregates of `context` is told.
pub(super) fn history(context: &'static str) -> Arc<Source> {
    source(&HISTORIES, context, |_| "the event store".to_owned())
}

type Sources = Mutex<BTreeMap<&'static str, Arc<Source>>>;
static OWNERS: Sources = Mutex::new(BTreeMap::new());
static HISTORIES: Sources = Mutex::new(BTreeMap::new());

fn source(all: &Sources, context: &'static str, name: impl FnOnce(&str) -> String) -> Arc<Source> {
    // Nothing panics while the lock is held.
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    let make = || {
        let name = Cow::Owned(name(context));
        Arc::new(Source { name, service: context, failures: Throttle::new() })
    };
    all.entry(context).or_insert_with(make).clone()
}

/// Where queries go.
pub(super) static READ_MODEL: Source = Source::new("the read model", "projection");
static QUEUE: Source = Source::new("the command queue", "article");
static LETTERS: Source = Source::new("the stream of dead letters", "article");

/// Logs that `source` does not answer, or answers again; passes `answer` on.
pub(super) fn note<T, E: Debug>(source: &Source, answer: Result<T, E>) -> Result<T, E> {
    let Source { name, failures, .. } = source;
    match &answer {
        Ok(_) => {
            if let Some(held_back) = failures.over() {
                tracing::info!(held_back, "{name} answers again");
            }
        }
        Err(error) => {
            if let Some(held_back) = failures.pass() {
                tracing::warn!(?error, held_back, "{name} does not answer");
            }
        }
    }
    answer
}

/// A write.
pub(super) fn not_written(source: &Source, error: &RequestError) -> Problem {
    let name = &source.name;
    match error {
        RequestError::NotConnected { .. } => {
            unavailable("service-unavailable", format!("{NOT_CONNECTED}; nothing was changed"))
        }
        RequestError::NoService { .. } => unavailable(
            "service-unavailable",
            format!("{}; nothing was changed", not_running(source)),
        ),
        RequestError::TimedOut { .. } => outcome_unknown(&format!("{name} did not answer in time")),
        RequestError::Service { error, .. } => service_failed(source, *error),
        RequestError::Malformed { .. } => Problem::internal(),
    }
}

/// A read. It has no outcome to speak of.
pub(super) fn not_read(source: &Source, error: &RequestError) -> Problem {
    let name = &source.name;
    let late = |code| {
        let detail = format!("{name} did not answer in time");
        Problem::new(StatusCode::GATEWAY_TIMEOUT, code, detail).retry_after(1)
    };
    match error {
        RequestError::NotConnected { .. } => unavailable("service-unavailable", NOT_CONNECTED),
        RequestError::NoService { .. } => unavailable("service-unavailable", not_running(source)),
        RequestError::TimedOut { .. } => late("timeout"),
        RequestError::Service { error, .. } => match error {
            ServiceError::Unavailable => {
                unavailable("unavailable", format!("{name} cannot be read now"))
            }
            ServiceError::DeadlineExceeded => late("deadline-exceeded"),
            error => service_failed(source, *error),
        },
        RequestError::Malformed { .. } => Problem::internal(),
    }
}

fn service_failed(source: &Source, error: ServiceError) -> Problem {
    let service = source.service;
    match error {
        ServiceError::Unavailable => {
            unavailable("unavailable", "the event store takes no writes now; nothing was changed")
        }
        ServiceError::ProjectionBehind => unavailable(
            "projection-behind",
            "the read model has not reached the position that was asked for",
        ),
        ServiceError::AnotherStream => unavailable(
            "read-model-of-another-stream",
            "the read model was made from another stream of events: it answers once it is rebuilt",
        ),
        ServiceError::Contended => {
            let detail = format!("others keep changing this {service}; nothing was changed");
            unavailable("contended", detail)
        }
        ServiceError::InFlight => Problem::new(
            StatusCode::CONFLICT,
            "request-in-flight",
            "a request with the same Idempotency-Key is being worked on",
        )
        .retry_after(1),
        ServiceError::DeadlineExceeded => unavailable(
            "deadline-exceeded",
            format!("the request came to the {service} service too late; nothing was changed"),
        ),
        ServiceError::OutcomeUnknown => outcome_unknown("the event store did not answer in time"),
        ServiceError::Internal => Problem::internal(),
    }
}

/// The operation of a command for later, or why there is none; `tried` says that its service was asked first.
pub(crate) fn enqueued(
    context: &'static str,
    queued: Result<Operation, EnqueueError>,
    tried: bool,
) -> Result<Operation, Problem> {
    let queued = match queued {
        Err(EnqueueError::Refused(refusal)) => return Err(refused(refusal)),
        queued => note(&QUEUE, queued),
    };
    queued.map_err(|error| match error {
        // The attempt before may have happened.
        EnqueueError::Unavailable(_) if tried => {
            let name = &owner(context).name;
            outcome_unknown(&format!("neither {name} nor the command queue answered"))
        }
        EnqueueError::Unavailable(_) => unavailable(
            "unavailable",
            "the command queue takes no commands now; nothing was changed",
        ),
        EnqueueError::Unknown(_) => outcome_unknown("the command queue did not answer in time"),
        EnqueueError::Refused(refusal) => refused(refusal),
    })
}

/// What the queue tells of operations, or why it does not.
pub(crate) fn operations<T>(answer: Result<T, StoreError>) -> Result<T, Problem> {
    note(&QUEUE, answer)
        .map_err(|_| unavailable("unavailable", "the outcomes of commands cannot be read now"))
}

/// What became of reading or changing dead letters, or why nobody knows.
pub(crate) fn letters<T>(answer: Result<T, DeadLetterError>) -> Result<T, Problem> {
    note(&LETTERS, answer).map_err(|_| {
        let detail = "the dead letters cannot be reached; what was done until then stays, and a repeat does the rest";
        unavailable("unavailable", detail)
    })
}

const NOT_CONNECTED: &str = "the gateway is not connected to NATS";

fn not_running(source: &Source) -> String {
    format!("the {} service is not running", source.service)
}

/// 503: nothing happened.
fn unavailable(code: &'static str, detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).retry_after(1)
}

/// 504: it happened or not.
fn outcome_unknown(what: &str) -> Problem {
    let detail = format!(
        "{what}; the write may be stored or not: a repeat with the same Idempotency-Key tells which"
    );
    Problem::new(StatusCode::GATEWAY_TIMEOUT, "outcome-unknown", detail).retry_after(1)
}
