//! Times as they are stored and shown.

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// `time` in RFC 3339, to the nanosecond: as read models store times, since a timestamp of PostgreSQL would lose the nanoseconds.
#[must_use]
pub fn rfc3339(time: OffsetDateTime) -> String {
    // It was read from this format, so it can be written in it.
    time.format(&Rfc3339).unwrap_or_default()
}

/// Now.
pub(crate) fn now() -> String {
    rfc3339(OffsetDateTime::now_utc())
}

/// The time that was written with [`rfc3339`].
///
/// # Errors
/// `text` is no such time.
pub fn parse_rfc3339(text: &str) -> Result<OffsetDateTime, time::error::Parse> {
    OffsetDateTime::parse(text, &Rfc3339)
}
