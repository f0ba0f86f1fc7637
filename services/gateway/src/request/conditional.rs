//! Preconditions (RFC 9110, 13): the `ETag` of an article is its version, in quotes.
//!
//! A write is checked where it is decided, since only there the version stays what it is. A read is checked on its answer.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use service_kit::Problem;

use super::entity_tag::{EntityTag, Tags};
use crate::reply;

/// What is expected of something that is not there.
const NOTHING: u64 = 0;
/// What no version is.
const NEVER: u64 = u64::MAX;

/// The versions of an article that a write may meet.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Precondition {
    /// One that it may; `None` for every one.
    pub(super) expected: Option<u64>,
    /// Others that are as good.
    pub(super) alternatives: Vec<u64>,
    /// Those that it may not.
    pub(super) excluded: Vec<u64>,
}

impl Precondition {
    pub(super) fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut versions = match tags(headers, &header::IF_MATCH)? {
            // Without an article there is nothing to write, so it need not be said here.
            None | Some(Tags::Any) => Self::default(),
            Some(Tags::Listed(tags)) => {
                // A weak tag never matches here (RFC 9110, 13.1.1), nor does a tag that is none of ours.
                let strong = tags.iter().filter(|tag| !tag.is_weak);
                let mut versions = strong.filter_map(EntityTag::version);
                let expected = Some(versions.next().unwrap_or(NEVER));
                Self { expected, alternatives: versions.collect(), excluded: Vec::new() }
            }
        };
        match tags(headers, &header::IF_NONE_MATCH)? {
            None => {}
            Some(Tags::Any) => {
                let expected = if versions.expected.is_none() { NOTHING } else { NEVER };
                versions = Self { expected: Some(expected), ..Self::default() };
            }
            Some(Tags::Listed(tags)) => {
                versions.excluded = tags.iter().filter_map(EntityTag::version).collect();
            }
        }
        Ok(versions)
    }
}

/// Answers a read with 304 when the client has what it would get, and with 412 when it must have that and has not.
pub(crate) async fn answer_reads(request: Request, next: Next) -> Response {
    let is_read = [Method::GET, Method::HEAD].contains(request.method());
    let headers = request.headers();
    let is_conditional =
        [header::IF_MATCH, header::IF_NONE_MATCH].map(|name| headers.contains_key(name));
    if !is_read || is_conditional == [false, false] {
        return next.run(request).await;
    }
    let if_match = match tags(headers, &header::IF_MATCH) {
        Ok(tags) => tags,
        Err(problem) => return problem.into_response(),
    };
    // What cannot be read is passed over: its sender gets the whole answer.
    let if_none_match = tags(headers, &header::IF_NONE_MATCH).unwrap_or_default();
    let response = next.run(request).await;
    if !response.status().is_success() {
        return response;
    }
    let etag = response.headers().get(header::ETAG);
    let etag = etag.and_then(|etag| EntityTag::parse(etag.as_bytes()));
    let has = |tags: &Tags, compare: fn(&EntityTag, &EntityTag) -> bool| match (tags, &etag) {
        (Tags::Any, _) => true,
        (Tags::Listed(_), None) => false,
        (Tags::Listed(tags), Some(etag)) => tags.iter().any(|tag| compare(tag, etag)),
    };
    if if_match.is_some_and(|tags| !has(&tags, EntityTag::is_same)) {
        return failed(response.headers().get(header::ETAG)).into_response();
    }
    if if_none_match.is_some_and(|tags| has(&tags, EntityTag::is_like)) {
        return not_modified(response);
    }
    response
}

/// Refuses the write of something that is there and has no `ETag`, unless it may be written as it is.
pub(crate) fn must_hold(headers: &HeaderMap) -> Result<(), Problem> {
    let if_match = tags(headers, &header::IF_MATCH)?;
    let if_none_match = tags(headers, &header::IF_NONE_MATCH)?;
    match (if_match, if_none_match) {
        (Some(Tags::Listed(_)), _) | (_, Some(Tags::Any)) => Err(failed(None)),
        _ => Ok(()),
    }
}

/// The tags in a field, if it is there.
fn tags(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Tags>, Problem> {
    if !headers.contains_key(name) {
        return Ok(None);
    }
    let field = if name == header::IF_MATCH { "If-Match" } else { "If-None-Match" };
    let lines = headers.get_all(name).iter().map(HeaderValue::as_bytes);
    let wrong = || reply::invalid_field(field, "must be ETags in quotes, or *");
    Tags::read(lines).map(Some).ok_or_else(wrong)
}

fn failed(etag: Option<&HeaderValue>) -> Problem {
    let detail = "what is there is not what the request wants to be there";
    let problem = Problem::new(StatusCode::PRECONDITION_FAILED, "version-mismatch", detail);
    match etag {
        Some(etag) => problem.with_header(header::ETAG, etag.clone()),
        None => problem,
    }
}

/// The same without content and what is said of it (RFC 9110, 15.4.5).
fn not_modified(response: Response) -> Response {
    let (mut parts, _) = response.into_parts();
    parts.status = StatusCode::NOT_MODIFIED;
    for name in [header::CONTENT_TYPE, header::CONTENT_LENGTH] {
        parts.headers.remove(name);
    }
    (parts, ()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[(HeaderName, &'static str)]) -> Precondition {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, HeaderValue::from_static(value));
        }
        Precondition::read(&headers).expect("tags")
    }

    #[test]
    fn a_write_says_which_versions_it_may_meet() {
        use header::{IF_MATCH, IF_NONE_MATCH};
        let expected = |expected| Precondition { expected, ..Precondition::default() };
        assert_eq!(read(&[]), expected(None));
        assert_eq!(read(&[(IF_MATCH, "*")]), expected(None));
        assert_eq!(read(&[(IF_MATCH, "\"3\"")]), expected(Some(3)));
        assert_eq!(read(&[(IF_MATCH, "W/\"3\", \"x\", \"03\"")]), expected(Some(NEVER)));
        assert_eq!(read(&[(IF_NONE_MATCH, "*")]), expected(Some(NOTHING)));
        assert_eq!(read(&[(IF_MATCH, "\"3\""), (IF_NONE_MATCH, "*")]), expected(Some(NEVER)));
        let lists =
            [(IF_MATCH, "\"3\", \"4\""), (IF_MATCH, "\"5\""), (IF_NONE_MATCH, "W/\"6\", \"x\"")];
        let versions =
            Precondition { expected: Some(3), alternatives: vec![4, 5], excluded: vec![6] };
        assert_eq!(read(&lists), versions);
    }
}
