use axum::{
    extract::State,
    http::{Uri, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use contracts::article::{ListArticles, SearchArticles};
use eventsourcing::Answer;
use serde::{Deserialize, Serialize};
use service_kit::Problem;

use crate::{
    Gateway, link, reply,
    request::{Read, number},
};

/// The query string. Numbers stay text here, so that a wrong one is named.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListParameters {
    q: Option<String>,
    author: Option<String>,
    tag: Option<String>,
    slug: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

/// `GET /api/articles?q=&author=&tag=&slug=&limit=&cursor=`: 200 with a page, newest first, or best first with `q`.
pub(crate) async fn list(
    State(gateway): State<Gateway>,
    Read(request, parameters): Read<ListParameters>,
    uri: Uri,
) -> Result<Response, Problem> {
    let author = parameters.author.map(|author| author.parse()).transpose();
    let author = author.map_err(|error| reply::invalid_field("author", &error))?;
    let limit = number("limit", parameters.limit, "must be a whole number from 1 to 100")?;
    let (tag, slug, cursor) = (parameters.tag, parameters.slug, parameters.cursor);
    if let Some(text) = parameters.q {
        if slug.is_some() {
            return Err(reply::invalid_field("slug", "must not be sent together with q"));
        }
        let query = request.query(SearchArticles { text, author, tag, limit, cursor });
        let answer = reply::answered(gateway.queries.ask(&query).await)?;
        let next = answer.data.next.clone();
        return Ok(page(&uri, answer, next.as_deref()));
    }
    let query = request.query(ListArticles { author, tag, slug, limit, cursor });
    let answer = reply::answered(gateway.queries.ask(&query).await)?;
    let next = answer.data.next.clone();
    Ok(page(&uri, answer, next.as_deref()))
}

fn page<T: Serialize>(uri: &Uri, answer: Answer<T>, next: Option<&str>) -> Response {
    let link = next.map(|cursor| (header::LINK, link::next(uri, cursor)));
    let position = reply::position(&answer);
    (position, AppendHeaders(link), axum::Json(answer.data)).into_response()
}
