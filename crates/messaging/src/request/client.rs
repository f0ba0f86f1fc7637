use std::time::Duration;

use async_nats::{HeaderMap, RequestErrorKind, client::Request, service::NATS_SERVICE_ERROR};
use eventsourcing::{Command, CommandEnvelope, Query, QueryEnvelope, QueryReply, Reply};
use serde::{Serialize, de::DeserializeOwned};
use time::OffsetDateTime;

use super::ServiceError;
use crate::{
    Connection,
    names::{self, header},
};

/// How much longer than the deadline the client waits: the service tells more than a timeout does.
const GRACE: Duration = Duration::from_millis(500);

/// No reply, or an error instead of one.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// There is no connection; nothing was changed.
    #[error("not connected to NATS: nothing was sent to {subject}")]
    NotConnected {
        /// The subject of the request.
        subject: String,
    },
    /// No service listens; nothing was changed.
    #[error("no service listens on {subject}")]
    NoService {
        /// The subject of the request.
        subject: String,
    },
    /// No reply in time; nobody knows whether it happened.
    #[error("no reply on {subject} in time")]
    TimedOut {
        /// The subject of the request.
        subject: String,
    },
    /// The service could neither accept nor refuse.
    #[error("the service on {subject} failed: {error}")]
    Service {
        /// The subject of the request.
        subject: String,
        /// What the service said.
        error: ServiceError,
    },
    /// The request or its reply cannot be written or read.
    #[error("the message on {subject} is malformed: {reason}")]
    Malformed {
        /// The subject of the request.
        subject: String,
        /// What the parser said.
        reason: String,
    },
}

/// Sends commands and queries.
#[derive(Debug, Clone)]
pub struct RequestClient {
    connection: Connection,
    timeout: Duration,
}

impl RequestClient {
    /// A client that gives a service `timeout` to reply.
    #[must_use]
    pub fn new(connection: Connection, timeout: Duration) -> Self {
        Self { connection, timeout }
    }

    /// Sends `command` to the service that decides it.
    ///
    /// It gets the client's timeout as deadline when it has none, so that it is not executed after the caller
    /// has stopped waiting.
    ///
    /// # Errors
    /// See [`RequestError`]; a refusal is a [`Reply`].
    pub async fn send<C: Command>(
        &self,
        mut command: CommandEnvelope<C>,
    ) -> Result<Reply<C::Output>, RequestError> {
        command.deadline.get_or_insert_with(|| OffsetDateTime::now_utc() + self.timeout);
        let subject = names::command(C::CONTEXT, C::VERB);
        self.request(subject, command.traceparent.as_deref(), &command).await
    }

    /// Asks the read model `query`.
    ///
    /// # Errors
    /// See [`RequestError`]; a refusal is a [`QueryReply`].
    pub async fn ask<Q: Query>(
        &self,
        query: &QueryEnvelope<Q>,
    ) -> Result<QueryReply<Q::Answer>, RequestError> {
        let subject = names::query(Q::CONTEXT, Q::NAME);
        self.request(subject, query.traceparent.as_deref(), query).await
    }

    async fn request<T: DeserializeOwned>(
        &self,
        subject: String,
        traceparent: Option<&str>,
        body: &impl Serialize,
    ) -> Result<T, RequestError> {
        // Sent while disconnected it would wait in a buffer and arrive when nobody wants it any more.
        if !self.connection.is_connected() {
            return Err(RequestError::NotConnected { subject });
        }
        let malformed = |subject: &str, error: &serde_json::Error| RequestError::Malformed {
            subject: subject.to_owned(),
            reason: error.to_string(),
        };
        let payload = serde_json::to_vec(body).map_err(|error| malformed(&subject, &error))?;
        let mut headers = HeaderMap::new();
        if let Some(traceparent) = traceparent {
            headers.insert(header::TRACEPARENT, traceparent);
        }
        let request = Request::new()
            .headers(headers)
            .payload(payload.into())
            .timeout(Some(self.timeout + GRACE));
        let sent = self.connection.client.send_request(subject.clone(), request).await;
        let reply = match sent {
            Ok(reply) => reply,
            Err(error) => return Err(self.failure(subject, &error).await),
        };
        self.connection.leaving.stay();
        let error = reply.headers.as_ref().and_then(|headers| headers.get(NATS_SERVICE_ERROR));
        if let Some(name) = error {
            let error = ServiceError::from_name(name.as_str());
            return Err(RequestError::Service { subject, error });
        }
        serde_json::from_slice(&reply.payload).map_err(|error| malformed(&subject, &error))
    }
    async fn failure(&self, subject: String, error: &async_nats::RequestError) -> RequestError {
        match error.kind() {
            RequestErrorKind::NoResponders => {
                self.connection.leaving.note(&error).await;
                RequestError::NoService { subject }
            }
            RequestErrorKind::InvalidSubject | RequestErrorKind::MaxPayloadExceeded => {
                RequestError::Malformed { subject, reason: error.to_string() }
            }
            // Whatever else went wrong, the request may have been on its way.
            _ => RequestError::TimedOut { subject },
        }
    }
}
