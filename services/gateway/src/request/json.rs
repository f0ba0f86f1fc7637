use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{HeaderMap, HeaderValue, StatusCode, header},
};
use serde::de::DeserializeOwned;
use service_kit::{
    Problem,
    json::{self, JsonError},
};

use crate::reply;

/// A JSON body as a `T`.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if let Some(problem) = unsupported(request.headers()) {
            return Err(problem);
        }
        // The site has the whole body already, so reading it cannot fail.
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| reply::malformed(rejection.body_text()))?;
        json::read(&body).map(Self).map_err(not_read)
    }
}

/// 415, with what is taken instead (RFC 9110, 15.5.16).
fn unsupported(headers: &HeaderMap) -> Option<Problem> {
    let (code, detail, name, value) = if is_coded(headers) {
        let detail = "the body must be sent as it is: without Content-Encoding";
        ("unsupported-content-encoding", detail, header::ACCEPT_ENCODING, "identity")
    } else if is_json(headers) {
        return None;
    } else {
        let detail = "the body must be JSON: Content-Type: application/json";
        ("unsupported-media-type", detail, header::ACCEPT, "application/json")
    };
    let problem = Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, code, detail);
    Some(problem.with_header(name, HeaderValue::from_static(value)))
}

/// Whether the body is in another coding than its own (RFC 9110, 8.4).
fn is_coded(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::CONTENT_ENCODING).iter().map(HeaderValue::as_bytes);
    let mut codings =
        lines.flat_map(|line| line.split(|octet| *octet == b',')).map(<[u8]>::trim_ascii);
    codings.any(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"))
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(Ok(value)) = headers.get(header::CONTENT_TYPE).map(|value| value.to_str()) else {
        return false;
    };
    let media_type = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media_type == "application/json"
        || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}

/// 400: what a client told is not what was expected.
pub(super) fn not_read(error: JsonError) -> Problem {
    match error {
        JsonError::Member { path, detail } => reply::invalid_field(path, &detail),
        JsonError::Malformed(detail) => {
            reply::malformed(format!("the body is not the JSON that was expected: {detail}"))
        }
    }
}
