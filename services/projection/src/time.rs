//! Times as they are stored and shown.

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// RFC 3339, to the nanosecond.
pub(crate) fn rfc3339(time: OffsetDateTime) -> String {
    // It was read from this format, so it can be written in it.
    time.format(&Rfc3339).unwrap_or_default()
}

/// Now.
pub(crate) fn now() -> String {
    rfc3339(OffsetDateTime::now_utc())
}
