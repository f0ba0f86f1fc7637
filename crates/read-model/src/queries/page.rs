//! What every page has in common.

use eventsourcing::{
    FieldError, Refusal,
    query::{DEFAULT_PAGE, MAX_PAGE},
};

/// How many items a page has; one more row than that is asked for, which tells whether there is a next page.
///
/// # Errors
/// It is out of bounds.
pub fn limit(limit: Option<u32>) -> Result<i64, Refusal> {
    let limit = limit.unwrap_or(DEFAULT_PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(invalid("limit", format!("must be a whole number from 1 to {MAX_PAGE}")));
    }
    Ok(i64::from(limit))
}

/// Shortens `rows` to `limit`; says whether there were more.
pub fn cut<T>(rows: &mut Vec<T>, limit: i64) -> bool {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    more
}

/// The refusal of a cursor that is none.
#[must_use]
pub fn not_a_cursor() -> Refusal {
    invalid("cursor", "must be the next of another page".to_owned())
}

/// The refusal of one field.
#[must_use]
pub fn invalid(field: &'static str, detail: String) -> Refusal {
    Refusal::invalid(vec![FieldError::new(field, detail)])
}
