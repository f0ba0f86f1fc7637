use std::str::FromStr;

use axum::{extract::FromRequestParts, http::request::Parts};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use service_kit::{Problem, http::query_string, json};

use super::json::not_read;
use crate::reply;

/// The query string as a `T`, which refuses the parameters that it does not have.
#[derive(Debug)]
pub(crate) struct Parameters<T>(pub(crate) T);

/// No parameter at all.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoParameters {}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        read(all(parts)?).map(Self)
    }
}

/// Every parameter of a request.
pub(super) fn all(parts: &Parts) -> Result<Map<String, Value>, Problem> {
    query_string::members(parts.uri.query().unwrap_or_default()).map_err(not_read)
}

pub(super) fn read<T: DeserializeOwned>(members: Map<String, Value>) -> Result<T, Problem> {
    json::read_members(members).map_err(not_read)
}

/// The parameter `name` as a number; `expected` says what it must be.
pub(crate) fn number<T: FromStr>(
    name: &'static str,
    text: Option<String>,
    expected: &str,
) -> Result<Option<T>, Problem> {
    text.map(|text| text.parse()).transpose().map_err(|_| reply::invalid_field(name, expected))
}
