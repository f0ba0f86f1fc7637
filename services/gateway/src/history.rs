//! Pages of histories, whatever they are of.

use axum::{
    http::{Uri, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use eventsourcing::{
    Answer,
    history::{HistoryEntry, HistoryPage},
};
use serde::{Deserialize, Serialize};
use service_kit::Problem;

use crate::{cursor, link, reply, request::number};

/// The query string. Numbers stay text here, so that a wrong one is named.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HistoryParameters {
    limit: Option<String>,
    cursor: Option<String>,
}

impl HistoryParameters {
    /// The version to begin behind, and how many events there may be.
    pub(crate) fn read(self) -> Result<(Option<u64>, Option<u32>), Problem> {
        let limit = number("limit", self.limit, "must be a whole number from 1 to 100")?;
        let after = number("cursor", self.cursor, "must be the next of another page")?;
        Ok((after, limit))
    }
}

/// A page of a history. Between services its `next` is a number.
#[derive(Debug, Serialize)]
struct Page {
    items: Vec<HistoryEntry>,
    #[serde(serialize_with = "cursor::serialize")]
    next: Option<u64>,
}

/// 200 with `answer`.
pub(crate) fn page(uri: &Uri, answer: Answer<HistoryPage>) -> Response {
    let position = reply::position(&answer);
    let page = Page { items: answer.data.items, next: answer.data.next };
    let link = page.next.map(|next| (header::LINK, link::next(uri, &next.to_string())));
    (position, AppendHeaders(link), axum::Json(page)).into_response()
}
