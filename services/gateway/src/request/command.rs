use axum::{
    extract::FromRequestParts,
    http::{HeaderName, request::Parts},
};
use eventsourcing::{Actor, Command, CommandEnvelope, CommandId, Query, QueryEnvelope, UserId};
use service_kit::{Problem, http::request_context::RequestContext};

use super::{NoParameters, Prefer, actor, conditional::Precondition, headers, parameters, query};
use crate::{Gateway, reply};

/// <https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/>
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const MAX_KEY: usize = 255;

/// Everything about a request that a command carries beside its data.
#[derive(Debug)]
pub(crate) struct CommandRequest {
    id: CommandId,
    actor: Actor,
    precondition: Precondition,
    prefer: Prefer,
    context: RequestContext,
}

impl CommandRequest {
    /// How long its sender wants to wait.
    pub(crate) fn prefer(&self) -> Prefer {
        self.prefer
    }

    /// A query that comes before the command.
    pub(crate) fn query<Q: Query>(&self, data: Q) -> QueryEnvelope<Q> {
        QueryEnvelope {
            correlation_id: query::correlation_id(&self.context),
            actor: Some(self.actor.clone()),
            traceparent: Some(self.context.traceparent.clone()),
            ..QueryEnvelope::new(data)
        }
    }

    /// The command with `data` that the request means.
    pub(crate) fn command<C: Command>(self, data: C) -> CommandEnvelope<C> {
        CommandEnvelope {
            id: self.id,
            correlation_id: query::correlation_id(&self.context),
            expected_version: self.precondition.expected,
            alternative_versions: self.precondition.alternatives,
            excluded_versions: self.precondition.excluded,
            traceparent: Some(self.context.traceparent),
            ..CommandEnvelope::new(self.actor, data)
        }
    }
}

impl FromRequestParts<Gateway> for CommandRequest {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, gateway: &Gateway) -> Result<Self, Problem> {
        let actor = actor::required(gateway, &parts.headers)?;
        let NoParameters {} = parameters::read(parameters::all(parts)?)?;
        let key = headers::text(&parts.headers, &IDEMPOTENCY_KEY)?;
        Ok(Self {
            id: key.map_or_else(|| Ok(CommandId::generate()), |key| id(&actor.user_id, key))?,
            precondition: Precondition::read(&parts.headers)?,
            actor,
            prefer: Prefer::read(&parts.headers),
            context: query::context(parts)?,
        })
    }
}

/// The command id that `user` means with an idempotency key: an RFC 8941 string, or the bare key.
fn id(user: &UserId, key: &str) -> Result<CommandId, Problem> {
    let bare = key.strip_prefix('"').and_then(|key| key.strip_suffix('"')).map_or_else(
        || key.to_owned(),
        |quoted| quoted.replace("\\\"", "\"").replace("\\\\", "\\"),
    );
    if (1..=MAX_KEY).contains(&bare.len()) {
        Ok(CommandId::from_key(user, &bare))
    } else {
        let detail = format!("must be 1 to {MAX_KEY} characters long");
        Err(reply::invalid_field("Idempotency-Key", &detail))
    }
}
