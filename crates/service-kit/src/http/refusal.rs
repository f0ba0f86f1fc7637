//! What is no request: answered with a problem as everything else is.
//!
//! The HTTP library answers these by itself, with a status and nothing more, and has no setting for it. Its parser stays the
//! only one, so that nobody can be told two things about where a request ends: the answer is taken back on its way out.

use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::IntoResponse as _,
};
use time::{OffsetDateTime, macros::format_description};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::{
    measure,
    problem::Problem,
    request_context::{CORRELATION_ID, RequestContext},
    site,
};

/// The longest answer of the library's own, in bytes.
const MAX_OWN_ANSWER: usize = 256;
/// How long a client may take to receive a refusal and to end the connection behind it.
const LINGER: std::time::Duration = std::time::Duration::from_secs(1);
/// Bytes that are read and thrown away meanwhile: with unread bytes a close is a reset, which may overtake the answer.
const MAX_DISCARDED: u64 = 256 * 1024;

/// The status of an answer that the library gave by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OwnAnswer(u16);

/// Where in `bytes`, which are about to be written, an answer of the library's own begins.
///
/// Nothing of ours looks like it: each of our answers has other headers.
pub(super) fn own_answer(bytes: &[u8]) -> Option<(usize, OwnAnswer)> {
    const START: &[u8] = b"HTTP/1.1 ";
    bytes.strip_suffix(b"\r\n\r\n")?;
    let skipped = bytes.len().saturating_sub(MAX_OWN_ANSWER);
    let tail = &bytes[skipped..];
    let start = tail.windows(START.len()).rposition(|window| window == START)?;
    let head = str::from_utf8(&tail[start..]).ok()?;
    let mut lines = head.trim_end().split("\r\n");
    let status = lines.next()?.get(START.len()..START.len() + 3)?.parse().ok()?;
    let is_bare = lines.all(|line| {
        let name = line.split_once(':').map_or(line, |(name, _)| name);
        matches!(name, "connection" | "content-length" | "date")
    });
    let is_own = matches!(status, 400 | 414 | 431) && head.contains("content-length: 0\r\n");
    (is_own && is_bare).then_some((skipped + start, OwnAnswer(status)))
}

/// What to say to whoever sent `head`, which the library refused with `error` and, perhaps, an answer of its own; `None`
/// when there is nobody to say it to.
pub(super) fn problem(
    error: &hyper::Error,
    own_answer: Option<OwnAnswer>,
    head: &[u8],
) -> Option<Problem> {
    if error.is_timeout() && !head.is_empty() {
        let detail = "the headers of the request took too long to arrive";
        return Some(Problem::new(StatusCode::REQUEST_TIMEOUT, "request-timeout", detail));
    }
    let problem = match own_answer {
        Some(OwnAnswer(414)) => uri_too_long(),
        // There is no end of the first line: the target alone is too long.
        Some(OwnAnswer(431)) if !head.contains(&b'\n') => uri_too_long(),
        Some(OwnAnswer(431)) => Problem::new(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "headers-too-large",
            "the headers of the request are too large, or too many",
        ),
        Some(OwnAnswer(_)) if has_other_version(head) => other_version(),
        Some(OwnAnswer(_)) => {
            let detail = "this is no request as in RFC 9112";
            Problem::new(StatusCode::BAD_REQUEST, "malformed-request", detail)
        }
        None if error.is_parse_version_h2() => other_version(),
        None => return None,
    };
    Some(problem)
}

fn uri_too_long() -> Problem {
    Problem::new(StatusCode::URI_TOO_LONG, "uri-too-long", "the target of the request is too long")
}

fn other_version() -> Problem {
    let detail = "HTTP/1.1 and HTTP/1.0 are spoken here";
    Problem::new(StatusCode::HTTP_VERSION_NOT_SUPPORTED, "http-version-not-supported", detail)
}

/// Whether the request line of `head` ends with a version (RFC 9112, 2.3) that is not spoken here.
fn has_other_version(head: &[u8]) -> bool {
    let line = head.trim_ascii_start().split(|byte| *byte == b'\n').next().unwrap_or_default();
    let version = line.trim_ascii_end().rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    match version.strip_prefix(b"HTTP/") {
        Some([major, b'.', minor]) => {
            let is_version = major.is_ascii_digit() && minor.is_ascii_digit();
            is_version && !matches!((major, minor), (b'1', b'0' | b'1'))
        }
        _ => false,
    }
}

/// Answers with `problem` on a connection whose requests are not read any further, and ends it.
pub(super) async fn refuse(mut stream: TcpStream, problem: &Problem, head: &[u8]) {
    let context = RequestContext::from_headers(&correlation(head));
    let status = problem.status().as_u16();
    tracing::info!(
        http.status = status,
        correlation.id = context.correlation_id,
        problem = problem.code(),
        "request refused"
    );
    measure::unmatched("other", problem.status());
    let answer = render(problem, context);
    let told = async {
        stream.write_all(&answer).await?;
        stream.shutdown().await?;
        tokio::io::copy(&mut stream.take(MAX_DISCARDED), &mut tokio::io::sink()).await
    };
    // A client that does not listen has missed it.
    if let Ok(Err(error)) = timeout(LINGER, told).await {
        tracing::debug!(%error, "a client left before its refusal");
    }
}

/// The correlation id that `head` names, if it does: the rest of it means nothing.
fn correlation(head: &[u8]) -> HeaderMap {
    let lines = head.split(|byte| *byte == b'\n').filter_map(|line| str::from_utf8(line).ok());
    let fields = lines.filter_map(|line| line.split_once(':'));
    let values = fields
        .filter(|(name, _)| name.eq_ignore_ascii_case(CORRELATION_ID.as_str()))
        .filter_map(|(_, value)| HeaderValue::from_str(value.trim()).ok());
    values.map(|value| (CORRELATION_ID, value)).collect()
}

fn render(problem: &Problem, context: RequestContext) -> Bytes {
    let body = problem.body().to_string();
    let (mut parts, _) = problem.clone().into_response().into_parts();
    site::complete(&mut parts.headers, context);
    parts.headers.insert(header::CONTENT_LENGTH, body.len().into());
    parts.headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    // RFC 9110, 5.6.7.
    let date = format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    if let Ok(Ok(date)) = OffsetDateTime::now_utc().format(date).map(HeaderValue::try_from) {
        parts.headers.insert(header::DATE, date);
    }
    let mut answer = format!("HTTP/1.1 {}\r\n", parts.status).into_bytes();
    for (name, value) in &parts.headers {
        answer.extend_from_slice(name.as_str().as_bytes());
        answer.extend_from_slice(b": ");
        answer.extend_from_slice(value.as_bytes());
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(b"\r\n");
    answer.extend_from_slice(body.as_bytes());
    answer.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\
                       date: Thu, 26 Nov 2026 02:00:00 GMT\r\n\r\n";

    #[test]
    fn the_librarys_own_answer_is_known_wherever_it_begins() {
        assert_eq!(own_answer(OWN.as_bytes()), Some((0, OwnAnswer(400))));
        let behind = format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok{OWN}");
        let start = behind.len() - OWN.len();
        assert_eq!(own_answer(behind.as_bytes()), Some((start, OwnAnswer(400))));
    }

    #[test]
    fn answers_of_ours_are_not_taken_for_it() {
        for answer in [
            OWN.replace("400 Bad Request", "404 Not Found"),
            OWN.replace("content-length: 0", "content-length: 2"),
            OWN.replace("connection: close", "x-correlation-id: 1"),
            format!("{OWN}{{}}"),
            OWN.trim_end().to_owned(),
            String::new(),
        ] {
            assert_eq!(own_answer(answer.as_bytes()), None, "{answer}");
        }
    }

    #[test]
    fn a_version_of_http_is_told_from_nonsense() {
        for (line, expected) in [
            ("GET / HTTP/1.2\r\nHost: a", true),
            ("\r\nGET / HTTP/2.0\r\n", true),
            ("GET / HTTP/1.1\r\nX: HTTP/1.2", false),
            ("GET / HTTP/1.0", false),
            ("GET / HTTP/1.22\r\n", false),
            ("GET / FOO/1.2\r\n", false),
            ("", false),
        ] {
            assert_eq!(has_other_version(line.as_bytes()), expected, "{line:?}");
        }
    }
}
