use std::{panic::AssertUnwindSafe, sync::Arc, time::Instant};

use async_nats::{
    Client,
    service::{Request, Service, ServiceExt, endpoint::Endpoint, error::Error as WireError},
};
use bytes::Bytes;
use eventsourcing::{
    Command, CommandEnvelope, Query, QueryEnvelope, QueryReply, Refusal, RefusalKind, Reply, object,
};
use futures_util::{FutureExt, StreamExt};
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

use super::{ServiceError, metrics::RequestMetrics, turns::Turns};
use crate::{
    Connection, Throttle,
    connection::connects,
    names::{self, header},
};

/// How many requests a service works on at once; more wait in their subscription.
const MAX_CONCURRENT: usize = 256;
/// Held back: what each request may be the reason for.
static FOREIGN: Throttle = Throttle::new();
static UNSENT: Throttle = Throttle::new();
static TOO_LARGE: Throttle = Throttle::new();
static UNWRITTEN: Throttle = Throttle::new();

/// A service could not be registered.
#[derive(Debug, thiserror::Error)]
#[error("registering {what} with NATS failed")]
pub struct RegisterError {
    what: String,
    #[source]
    source: async_nats::Error,
}

/// Answers commands and queries. One a service; replicas share the work.
pub struct RequestServer {
    client: Client,
    service: Service,
    name: String,
    permits: Arc<Semaphore>,
    turns: Arc<Turns>,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

impl RequestServer {
    /// Announces the service `name` to NATS. It takes no request before an endpoint is added.
    pub async fn start(connection: &Connection, name: &str) -> Result<Self, RegisterError> {
        let service = connection
            .client
            .service_builder()
            .queue_group(name)
            .start(name, env!("CARGO_PKG_VERSION"))
            .await
            .map_err(|source| RegisterError { what: name.to_owned(), source })?;
        Ok(Self {
            client: connection.client.clone(),
            service,
            name: name.to_owned(),
            permits: Arc::new(Semaphore::new(MAX_CONCURRENT)),
            turns: Arc::default(),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
        })
    }

    /// Answers the command `C` with `handler`.
    pub async fn command<C, F, Fut>(&self, handler: F) -> Result<(), RegisterError>
    where
        C: Command,
        F: Fn(CommandEnvelope<C>) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<Reply<C::Output>, ServiceError>> + Send,
    {
        let subject = names::command(C::CONTEXT, C::VERB);
        let turns = self.turns.clone();
        self.serve(C::VERB, subject, move |payload, traceparent| {
            let (handler, turns) = (handler.clone(), turns.clone());
            async move {
                let mut command: CommandEnvelope<C> = match object::read(&payload) {
                    Ok(command) => command,
                    Err(error) => return encode(&Reply::<C::Output>::Refused(malformed(&error))),
                };
                command.traceparent = traceparent;
                let span = tracing::info_span!(
                    "command",
                    command = format!("{}.{}", C::CONTEXT, C::VERB),
                    command.id = %command.id,
                    correlation.id = %command.correlation_id,
                    traceparent = command.traceparent,
                );
                // Commands of one aggregate would only be in each other's way.
                let _turn = turns.wait(command.aggregate_id(), command.id).await?;
                encode(&handler(command).instrument(span).await?)
            }
        })
        .await
    }

    /// Answers the query `Q` with `handler`.
    pub async fn query<Q, F, Fut>(&self, handler: F) -> Result<(), RegisterError>
    where
        Q: Query,
        F: Fn(QueryEnvelope<Q>) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<QueryReply<Q::Answer>, ServiceError>> + Send,
    {
        let subject = names::query(Q::CONTEXT, Q::NAME);
        self.serve(Q::NAME, subject, move |payload, traceparent| {
            let handler = handler.clone();
            async move {
                let mut query: QueryEnvelope<Q> = match object::read(&payload) {
                    Ok(query) => query,
                    Err(error) => {
                        return encode(&QueryReply::<Q::Answer>::Refused(malformed(&error)));
                    }
                };
                query.traceparent = traceparent;
                let span = tracing::info_span!(
                    "query",
                    query = format!("{}.{}", Q::CONTEXT, Q::NAME),
                    correlation.id = %query.correlation_id,
                    traceparent = query.traceparent,
                );
                encode(&handler(query).instrument(span).await?)
            }
        })
        .await
    }

    /// Returns when the server has every endpoint that was added, so that a request from now on finds it.
    pub async fn ready(&self) -> Result<(), RegisterError> {
        let failed = |source: async_nats::Error| RegisterError { what: self.name.clone(), source };
        // Subscribing is not acknowledged. What is sent after it on the same connection is.
        let ping = format!("$SRV.PING.{}.{}", self.name, self.service.info().await.id);
        self.client.request(ping, Bytes::new()).await.map_err(|error| failed(error.into()))?;
        Ok(())
    }

    /// Takes no more requests, and returns when those it took are answered.
    pub async fn stop(self) {
        self.stopping.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        if let Err(error) = self.service.stop().await {
            tracing::debug!(%error, "leaving the NATS service API failed");
        }
    }

    async fn serve<F, Fut>(
        &self,
        endpoint: &str,
        subject: String,
        answer: F,
    ) -> Result<(), RegisterError>
    where
        F: Fn(Bytes, Option<String>) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<Bytes, ServiceError>> + Send + 'static,
    {
        let requests = self
            .service
            .endpoint_builder()
            .name(endpoint)
            .queue_group(&self.name)
            .add(&subject)
            .await
            .map_err(|source| RegisterError { what: subject.clone(), source })?;
        let (permits, tasks) = (self.permits.clone(), self.tasks.clone());
        let stopping = self.stopping.clone();
        let client = self.client.clone();
        let way = Arc::new(Way { max_payload: client.server_info().max_payload, client });
        self.tasks.spawn(async move {
            dispatch(way, requests, subject, permits, tasks, stopping, answer).await;
        });
        Ok(())
    }
}

/// How replies go back.
struct Way {
    client: Client,
    /// The largest that the server takes.
    max_payload: usize,
}

async fn dispatch<F, Fut>(
    way: Arc<Way>,
    mut requests: Endpoint,
    subject: String,
    permits: Arc<Semaphore>,
    tasks: TaskTracker,
    stopping: CancellationToken,
    answer: F,
) where
    F: Fn(Bytes, Option<String>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Bytes, ServiceError>> + Send + 'static,
{
    let metrics = RequestMetrics::new(&subject);
    loop {
        let Ok(permit) = permits.clone().acquire_owned().await else { return };
        let request = tokio::select! {
            () = stopping.cancelled() => break,
            request = requests.next() => request,
        };
        let Some(request) = request else { break };
        if !is_for_us(&request, &subject) {
            continue;
        }
        let (way, answer, measured) = (way.clone(), answer.clone(), metrics.clone());
        tasks.spawn(async move {
            respond(&way, request, answer, &measured).await;
            drop(permit);
        });
    }
    // What arrived before we left the queue group is ours to answer.
    if let Err(error) = requests.stop().await {
        tracing::debug!(%error, "leaving the queue group failed");
    }
    while let Some(request) = requests.next().await {
        if is_for_us(&request, &subject) {
            respond(&way, request, answer.clone(), &metrics).await;
        }
    }
}

/// Whether the request was sent to `subject`, and wants its reply in an inbox.
///
/// JetStream can be made to deliver a stored message to any subject, by whoever may pull from a consumer. And the
/// server lets a reply go wherever the request says, whether or not its sender may publish there.
fn is_for_us(request: &Request, subject: &str) -> bool {
    let message = &request.message;
    let reply = message.reply.as_deref().unwrap_or_default();
    let is_ours = message.subject.as_str() == subject && names::is_inbox(reply);
    if !is_ours && let Some(held_back) = FOREIGN.pass() {
        tracing::warn!(subject, from = %message.subject, reply, held_back, "request that is not for us");
    }
    is_ours
}

async fn respond<F, Fut>(way: &Way, request: Request, answer: F, metrics: &RequestMetrics)
where
    F: Fn(Bytes, Option<String>) -> Fut,
    Fut: Future<Output = Result<Bytes, ServiceError>>,
{
    let traceparent = request
        .message
        .headers
        .as_ref()
        .and_then(|headers| headers.get(header::TRACEPARENT))
        .map(ToString::to_string);
    let answer = answer(request.message.payload.clone(), traceparent);
    let connection = connects(&way.client);
    // A panic is a bug, but its sender shall not wait for the timeout.
    let start = Instant::now();
    let outcome = AssertUnwindSafe(answer).catch_unwind().await;
    let outcome = outcome.unwrap_or(Err(ServiceError::Internal));
    metrics.worked(&outcome, start.elapsed());
    if connects(&way.client) != connection {
        // The server permits a reply only on the connection over which the request came.
        tracing::debug!(subject = %request.message.subject, "no way back for a reply: the connection is a new one");
        return;
    }
    let wire = outcome.and_then(|reply| fitting(reply, way.max_payload));
    let wire =
        wire.map_err(|error| WireError { status: error.name().to_owned(), code: error.code() });
    if let Err(error) = request.respond(wire).await
        && let Some(held_back) = UNSENT.pass()
    {
        tracing::warn!(%error, held_back, "sending a reply failed");
    }
}

/// A reply that does not fit a message is an error: without one its sender would wait in vain.
fn fitting(reply: Bytes, max_payload: usize) -> Result<Bytes, ServiceError> {
    if reply.len() <= max_payload {
        return Ok(reply);
    }
    if let Some(held_back) = TOO_LARGE.pass() {
        let length = reply.len();
        tracing::error!(length, max_payload, held_back, "a reply is too large to be sent");
    }
    Err(ServiceError::Internal)
}

fn encode(reply: &impl Serialize) -> Result<Bytes, ServiceError> {
    serde_json::to_vec(reply).map(Bytes::from).map_err(|error| {
        if let Some(held_back) = UNWRITTEN.pass() {
            tracing::error!(%error, held_back, "a reply cannot be written as JSON");
        }
        ServiceError::Internal
    })
}

fn malformed(error: &serde_json::Error) -> Refusal {
    Refusal::new(RefusalKind::Invalid, "malformed-request", error.to_string())
}
