//! Administrators' requests to a service: one subject a service, JSON in and out.

use std::{future::Future, time::Duration};

use async_nats::{RequestErrorKind, client::Request};
use eventsourcing::object;
use futures_util::StreamExt;
use serde::{Serialize, de::DeserializeOwned};
use tokio_util::sync::CancellationToken;

use crate::{Connection, Throttle, names, refused};

/// How long a service may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// No answer from the service.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// It does not run.
    #[error("{0} is not running")]
    NotRunning(String),
    /// It said nothing in time.
    #[error("{0} did not answer in time")]
    TimedOut(String),
    /// It does not understand the question.
    #[error("{service} does not understand the question; is it of another release? {reason}")]
    Refused {
        /// The service.
        service: String,
        /// What its parser said.
        reason: String,
    },
    /// It said something else than expected.
    #[error("the answer of {service} cannot be read: {reason}")]
    Malformed {
        /// The service.
        service: String,
        /// What the parser said.
        reason: String,
    },
}

/// Asks `service`.
///
/// # Errors
/// See [`ControlError`].
pub async fn ask<Q: Serialize, A: DeserializeOwned>(
    connection: &Connection,
    service: &str,
    question: &Q,
) -> Result<A, ControlError> {
    let malformed = |error: serde_json::Error| ControlError::Malformed {
        service: service.to_owned(),
        reason: error.to_string(),
    };
    let payload = serde_json::to_vec(question).map_err(malformed)?;
    let request = Request::new().payload(payload.into()).timeout(Some(PATIENCE));
    let answer = connection.client.send_request(names::control(service), request).await;
    let answer = answer.map_err(|error| match error.kind() {
        RequestErrorKind::NoResponders => ControlError::NotRunning(service.to_owned()),
        _ => ControlError::TimedOut(service.to_owned()),
    })?;
    if let Some(reason) = refused::reason(&answer) {
        return Err(ControlError::Refused { service: service.to_owned(), reason });
    }
    serde_json::from_slice(&answer.payload).map_err(malformed)
}

/// Answers the questions to `service`, one after the other, until `stop`. Replicas share them. A question is an object; what is
/// none, or none of `Q`, is refused.
///
/// # Errors
/// The connection ended.
pub async fn serve<Q, A, F, Fut>(
    connection: &Connection,
    service: &str,
    stop: &CancellationToken,
    answer: F,
) -> Result<(), async_nats::Error>
where
    Q: DeserializeOwned,
    A: Serialize,
    F: Fn(Q) -> Fut,
    Fut: Future<Output = A>,
{
    let subject = names::control(service);
    let mut requests = connection.client.queue_subscribe(subject, service.to_owned()).await?;
    let warnings = Throttle::new();
    loop {
        let request = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            request = requests.next() => request.ok_or("the subscription ended")?,
        };
        let Some(reply) = request.reply.filter(|reply| names::is_inbox(reply)) else { continue };
        let question = match object::read(&request.payload) {
            Ok(question) => question,
            Err(error) => {
                if let Some(held_back) = warnings.pass() {
                    tracing::warn!(service, held_back, "a request that is none was refused");
                }
                refused::answer(connection, reply, &error).await?;
                continue;
            }
        };
        let payload = serde_json::to_vec(&answer(question).await)?;
        connection.client.publish(reply, payload.into()).await?;
    }
}
