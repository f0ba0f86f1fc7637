use axum::{
    extract::FromRequestParts,
    http::{HeaderName, request::Parts},
};
use eventsourcing::{Actor, CorrelationId, Query, QueryEnvelope, StreamIdentity};
use messaging::Throttle;
use serde::{Deserialize, de::DeserializeOwned};
use service_kit::{Problem, http::request_context::RequestContext};

use super::{actor, headers, number, parameters};
use crate::{Gateway, reply};

/// Says which stream position a response reflects, or which one a read must include.
pub(crate) const POSITION: HeaderName = HeaderName::from_static("newswire-position");

/// Says which stream that position is in.
pub(crate) const STREAM: HeaderName = HeaderName::from_static("newswire-stream");

/// Everything about a request that a query carries beside its data.
#[derive(Debug, Clone)]
pub(crate) struct QueryRequest {
    actor: Option<Actor>,
    min_position: Option<u64>,
    stream: Option<StreamIdentity>,
    context: RequestContext,
}

impl QueryRequest {
    /// The query with `data` that the request means.
    pub(crate) fn query<Q: Query>(self, data: Q) -> QueryEnvelope<Q> {
        QueryEnvelope {
            correlation_id: correlation_id(&self.context),
            actor: self.actor,
            min_position: self.min_position,
            stream: self.stream,
            traceparent: Some(self.context.traceparent),
            data,
        }
    }
}

/// A read: what its query carries beside its data, and its own parameters, which are no others than `T` has.
#[derive(Debug)]
pub(crate) struct Read<T>(pub(crate) QueryRequest, pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Gateway> for Read<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, gateway: &Gateway) -> Result<Self, Problem> {
        let mut others = parameters::all(parts)?;
        let common = PositionParameters::NAMES.map(|name| others.remove_entry(name));
        let common = parameters::read(common.into_iter().flatten().collect())?;
        let own = parameters::read(others)?;
        Ok(Self(QueryRequest::read(parts, gateway, common)?, own))
    }
}

impl QueryRequest {
    fn read(
        parts: &Parts,
        gateway: &Gateway,
        parameters: PositionParameters,
    ) -> Result<Self, Problem> {
        let header = headers::text(&parts.headers, &POSITION)?.map(str::to_owned);
        let stream = headers::text(&parts.headers, &STREAM)?.map(str::to_owned);
        let header = number("Newswire-Position", header, "must be a whole number")?;
        let parameter = number("min_position", parameters.min_position, "must be a whole number")?;
        Ok(Self {
            actor: actor::optional(gateway, &parts.headers)?,
            // Who sends both wants both.
            min_position: header.max(parameter),
            stream: stream_of(stream, parameters.stream)?,
            context: context(parts)?,
        })
    }
}

/// For clients that cannot set a header, such as a link.
#[derive(Debug, Deserialize)]
struct PositionParameters {
    min_position: Option<String>,
    stream: Option<String>,
}

impl PositionParameters {
    const NAMES: [&str; 2] = ["min_position", "stream"];
}

/// The stream that header and parameter name. One of each must be the same.
fn stream_of(
    header: Option<String>,
    parameter: Option<String>,
) -> Result<Option<StreamIdentity>, Problem> {
    let expected = "must be what another answer had";
    let header = number("Newswire-Stream", header, expected)?;
    let parameter = number("stream", parameter, expected)?;
    match (header, parameter) {
        (Some(header), Some(parameter)) if header != parameter => {
            Err(reply::invalid_field("stream", "must be the same as the header Newswire-Stream"))
        }
        (header, parameter) => Ok(header.or(parameter)),
    }
}

/// The identity that the site gave the request.
pub(super) fn context(parts: &Parts) -> Result<RequestContext, Problem> {
    parts.extensions.get().cloned().ok_or_else(|| {
        static WITHOUT: Throttle = Throttle::new();
        if let Some(held_back) = WITHOUT.pass() {
            tracing::error!(
                held_back,
                "a request has no context: the gateway is not served by a site"
            );
        }
        Problem::internal()
    })
}

/// The site lets only usable ids through; a new one stands in should that ever change.
pub(super) fn correlation_id(context: &RequestContext) -> CorrelationId {
    context.correlation_id.parse().unwrap_or_else(|_| CorrelationId::generate())
}
