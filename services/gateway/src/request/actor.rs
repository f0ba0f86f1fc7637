use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
};
use eventsourcing::{Actor, identity::SYSTEM};
use service_kit::Problem;

use crate::Gateway;

/// The role of those who run Newswire.
const OPERATOR: &str = "ops";

/// Who sends the request, for an endpoint that needs to know.
#[derive(Debug)]
pub(crate) struct User(pub(crate) Actor);

impl FromRequestParts<Gateway> for User {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, gateway: &Gateway) -> Result<Self, Problem> {
        required(gateway, &parts.headers).map(Self)
    }
}

/// Somebody who runs Newswire sends the request.
#[derive(Debug)]
pub(crate) struct Operator;

impl FromRequestParts<Gateway> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, gateway: &Gateway) -> Result<Self, Problem> {
        let actor = required(gateway, &parts.headers)?;
        if actor.roles.iter().any(|role| role == OPERATOR) {
            // What is thrown away is gone: the log says by whom.
            let (method, path) = (&parts.method, parts.uri.path());
            tracing::info!(user.id = %actor.user_id, %method, path, "an operator's request");
            return Ok(Self);
        }
        let detail = format!("this needs a token with the role {OPERATOR}");
        Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail))
    }
}

/// Who sends the request; `None` without a token. A token that is there must be valid.
pub(super) fn optional(gateway: &Gateway, headers: &HeaderMap) -> Result<Option<Actor>, Problem> {
    let claims = gateway.tokens.check_headers(headers);
    let Some(claims) = claims.map_err(|error| unauthorized(&error.to_string()))? else {
        return Ok(None);
    };
    let user_id = claims.sub.parse().map_err(|_| unauthorized("the token names no usable user"))?;
    // Nobody acts for the system over HTTP.
    let roles = claims.roles.into_iter().filter(|role| role != SYSTEM).collect();
    Ok(Some(Actor { user_id, roles }))
}

/// Who sends the request.
pub(super) fn required(gateway: &Gateway, headers: &HeaderMap) -> Result<Actor, Problem> {
    optional(gateway, headers)?.ok_or_else(|| unauthorized("this needs a bearer token"))
}

fn unauthorized(detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
        .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}
