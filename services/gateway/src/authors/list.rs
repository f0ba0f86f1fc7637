use axum::{
    extract::State,
    http::{Uri, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use contracts::article::ListAuthors;
use serde::Deserialize;
use service_kit::Problem;

use crate::{
    Gateway, link, reply,
    request::{Read, number},
};

/// The query string. Numbers stay text here, so that a wrong one is named.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListParameters {
    limit: Option<String>,
    cursor: Option<String>,
}

/// `GET /api/authors?limit=&cursor=`: 200 with a page of authors, by id.
pub(crate) async fn list(
    State(gateway): State<Gateway>,
    Read(request, parameters): Read<ListParameters>,
    uri: Uri,
) -> Result<Response, Problem> {
    let limit = number("limit", parameters.limit, "must be a whole number from 1 to 100")?;
    let query = request.query(ListAuthors { limit, cursor: parameters.cursor });
    let answer = reply::answered(gateway.queries.ask(&query).await)?;
    let next = answer.data.next.as_deref();
    let next = next.map(|next| (header::LINK, link::next(&uri, next)));
    let position = reply::position(&answer);
    Ok((position, AppendHeaders(next), axum::Json(answer.data)).into_response())
}
