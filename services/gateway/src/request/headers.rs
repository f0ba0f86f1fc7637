use axum::http::{HeaderMap, HeaderName};
use service_kit::Problem;

use crate::reply;

/// The header `name` as text, when it is there once.
pub(super) fn text<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(reply::invalid_field(name.to_string(), "must be sent once"));
    }
    match value.to_str() {
        Ok(text) => Ok(Some(text.trim())),
        Err(_) => Err(reply::invalid_field(name.to_string(), "must be visible ASCII")),
    }
}
