//! What every page has in common.

use contracts::article::MAX_PAGE;
use eventsourcing::{FieldError, Refusal};

const DEFAULT_PAGE: u32 = 20;

/// How many items a page has; one more row than that is asked for, which tells whether there is a next page.
pub(super) fn limit(limit: Option<u32>) -> Result<i64, Refusal> {
    let limit = limit.unwrap_or(DEFAULT_PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(invalid("limit", format!("must be a whole number from 1 to {MAX_PAGE}")));
    }
    Ok(i64::from(limit))
}

/// Shortens `rows` to `limit`; says whether there were more.
pub(super) fn cut<T>(rows: &mut Vec<T>, limit: i64) -> bool {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    more
}

/// The refusal of a cursor that is none.
pub(super) fn not_a_cursor() -> Refusal {
    invalid("cursor", "must be the next of another page".to_owned())
}

pub(super) fn invalid(field: &'static str, detail: String) -> Refusal {
    Refusal::invalid(vec![FieldError::new(field, detail)])
}
