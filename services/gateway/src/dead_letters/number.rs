use std::collections::HashMap;

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use service_kit::Problem;

use crate::reply;

/// The `{number}` of a path.
#[derive(Debug)]
pub(crate) struct Number(pub(crate) u64);

impl<S: Send + Sync> FromRequestParts<S> for Number {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let wrong = || reply::invalid_field("number", "must be a whole number");
        let Path(path) = Path::<HashMap<String, String>>::from_request_parts(parts, state)
            .await
            .map_err(|_| wrong())?;
        let number = path.get("number").ok_or_else(wrong)?;
        number.parse().map(Self).map_err(|_| wrong())
    }
}
