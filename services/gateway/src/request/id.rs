use std::{collections::HashMap, str::FromStr};

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use service_kit::Problem;

use crate::reply;

/// The `{id}` of a path.
#[derive(Debug)]
pub(crate) struct Id<T>(pub(crate) T);

impl<T: FromStr, S: Send + Sync> FromRequestParts<S> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let wrong = || reply::invalid_field("id", "must be a hyphenated UUID");
        let Path(path) = Path::<HashMap<String, String>>::from_request_parts(parts, state)
            .await
            .map_err(|_| wrong())?;
        let id = path.get("id").ok_or_else(wrong)?;
        id.parse().map(Self).map_err(|_| wrong())
    }
}
