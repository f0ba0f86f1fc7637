use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
};
use eventsourcing::Actor;
use service_kit::Problem;

use crate::Gateway;

/// Who sends the request, for an endpoint that needs to know.
#[derive(Debug)]
pub(crate) struct User(pub(crate) Actor);

impl FromRequestParts<Gateway> for User {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, gateway: &Gateway) -> Result<Self, Problem> {
        required(gateway, &parts.headers).map(Self)
    }
}

/// Who sends the request; `None` without a token. A token that is there must be valid.
pub(super) fn optional(gateway: &Gateway, headers: &HeaderMap) -> Result<Option<Actor>, Problem> {
    let claims = gateway.tokens.check_headers(headers);
    let Some(claims) = claims.map_err(|error| unauthorized(&error.to_string()))? else {
        return Ok(None);
    };
    let user_id = claims.sub.parse().map_err(|_| unauthorized("the token names no usable user"))?;
    Ok(Some(Actor { user_id, roles: claims.roles }))
}

/// Who sends the request.
pub(super) fn required(gateway: &Gateway, headers: &HeaderMap) -> Result<Actor, Problem> {
    optional(gateway, headers)?.ok_or_else(|| unauthorized("this needs a bearer token"))
}

fn unauthorized(detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
        .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}
