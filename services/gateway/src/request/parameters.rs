use std::str::FromStr;

use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
};
use serde::de::DeserializeOwned;
use service_kit::Problem;

use crate::reply;

/// The query string as a `T`.
#[derive(Debug)]
pub(crate) struct Parameters<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(parameters)) => Ok(Self(parameters)),
            Err(rejection) => Err(reply::malformed(rejection.body_text())),
        }
    }
}

/// The parameter `name` as a number; `expected` says what it must be.
pub(crate) fn number<T: FromStr>(
    name: &'static str,
    text: Option<String>,
    expected: &str,
) -> Result<Option<T>, Problem> {
    text.map(|text| text.parse()).transpose().map_err(|_| reply::invalid_field(name, expected))
}
