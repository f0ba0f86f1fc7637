use axum::{
    extract::State,
    http::{Uri, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use messaging::consumer::{DeadLetterBox, DeadLetterError, DeadLetterFilter};
use serde::{Deserialize, Serialize};
use service_kit::Problem;

use super::{choice::Choice, view::Item};
use crate::{
    Gateway, cursor, link, reply,
    request::{Operator, Parameters, number},
};

const DEFAULT_PAGE: usize = 20;
const MAX_PAGE: usize = 100;
/// How many pages of two hundred dead letters one request looks through.
const MAX_LOOKS: usize = 10;

/// The query string. Numbers stay text here, so that a wrong one is named.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListParameters {
    consumer: Option<String>,
    aggregate: Option<String>,
    reason: Option<String>,
    after: Option<String>,
    before: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

/// A page of dead letters.
#[derive(Debug, Serialize)]
struct Page {
    items: Vec<Item>,
    #[serde(serialize_with = "cursor::serialize")]
    next: Option<u64>,
}

/// `GET /api/admin/dead-letters?consumer=&aggregate=&reason=&after=&before=&limit=&cursor=`: 200 with a page, oldest
/// first. It may have less than it could while there is a next one: one request looks at so many only.
pub(crate) async fn list(
    State(gateway): State<Gateway>,
    _: Operator,
    uri: Uri,
    Parameters(parameters): Parameters<ListParameters>,
) -> Result<Response, Problem> {
    let ListParameters { consumer, aggregate, reason, after, before, limit, cursor } = parameters;
    let filter = Choice { consumer, aggregate, reason, after, before }.filter()?;
    let expected = "must be a whole number from 1 to 100";
    let limit = number("limit", limit, expected)?.unwrap_or(DEFAULT_PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(reply::invalid_field("limit", expected));
    }
    let after = number("cursor", cursor, "must be the next of another page")?;
    let page = read(&gateway.dead_letters, &filter, after.unwrap_or_default(), limit).await;
    let page = reply::letters(page)?;
    let link = page.next.map(|next| (header::LINK, link::next(&uri, &next.to_string())));
    Ok((AppendHeaders(link), axum::Json(page)).into_response())
}

async fn read(
    letters: &DeadLetterBox,
    filter: &DeadLetterFilter,
    mut after: u64,
    limit: usize,
) -> Result<Page, DeadLetterError> {
    let mut items = Vec::new();
    for _ in 0..MAX_LOOKS {
        let chosen = filter.page(letters, after).await?;
        for letter in &chosen.letters {
            if items.len() == limit {
                return Ok(Page { items, next: Some(after) });
            }
            after = letter.sequence;
            items.push(Item::from(letter));
        }
        let Some(next) = chosen.next else { return Ok(Page { items, next: None }) };
        after = next;
    }
    Ok(Page { items, next: Some(after) })
}
