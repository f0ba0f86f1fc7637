use axum::{
    extract::State,
    http::{Uri, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use contracts::article::ListArticles;
use serde::Deserialize;
use service_kit::Problem;

use crate::{
    Gateway, reply,
    request::{Parameters, QueryRequest, number},
};

/// The query string. Numbers stay text here, so that a wrong one is named.
#[derive(Debug, Deserialize)]
pub(crate) struct ListParameters {
    author: Option<String>,
    tag: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

/// `GET /api/articles?author=&tag=&limit=&cursor=`: 200 with a page, newest first.
pub(crate) async fn list(
    State(gateway): State<Gateway>,
    request: QueryRequest,
    uri: Uri,
    Parameters(parameters): Parameters<ListParameters>,
) -> Result<Response, Problem> {
    let list = ListArticles {
        author: parameters
            .author
            .map(|author| author.parse())
            .transpose()
            .map_err(|error| reply::invalid_field("author", &error))?,
        tag: parameters.tag,
        limit: number("limit", parameters.limit, "must be a whole number from 1 to 100")?,
        cursor: parameters.cursor,
    };
    let answer = reply::answered(gateway.queries.ask(&request.query(list)).await)?;
    let next = answer.data.next.as_deref().map(|cursor| (header::LINK, next_link(&uri, cursor)));
    let position = reply::position(answer.position);
    Ok((position, AppendHeaders(next), axum::Json(answer.data)).into_response())
}

/// The link to the next page (RFC 8288): this page's parameters with another cursor.
pub(super) fn next_link(uri: &Uri, cursor: &str) -> String {
    let kept = uri.query().unwrap_or_default().split('&');
    let kept = kept.filter(|pair| !pair.is_empty() && !pair.starts_with("cursor="));
    let pairs: Vec<String> = kept.map(str::to_owned).chain([format!("cursor={cursor}")]).collect();
    format!("<{}?{}>; rel=\"next\"", uri.path(), pairs.join("&"))
}
