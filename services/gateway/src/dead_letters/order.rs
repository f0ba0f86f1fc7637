use messaging::consumer::DeadLetterFilter;
use serde::Deserialize;
use service_kit::Problem;

use super::choice::Choice;
use crate::{cursor, reply};

/// What a client wants done, to which dead letters. A member that is not known is refused: passed over, a filter with a
/// slip of the pen would choose more than was meant.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrderBody {
    consumer: Option<String>,
    aggregate: Option<String>,
    reason: Option<String>,
    after: Option<String>,
    before: Option<String>,
    #[serde(default)]
    all: bool,
    #[serde(default)]
    dry_run: bool,
    #[serde(default, deserialize_with = "cursor::deserialize")]
    cursor: Option<u64>,
}

/// The same when it makes sense.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) filter: DeadLetterFilter,
    /// Only say what would be done.
    pub(super) dry_run: bool,
    /// The number behind which to begin.
    pub(super) cursor: u64,
}

impl OrderBody {
    /// The order that is meant, or what is wrong with it.
    pub(super) fn order(self) -> Result<Order, Problem> {
        let Self { consumer, aggregate, reason, after, before, all, dry_run, cursor } = self;
        let filter = Choice { consumer, aggregate, reason, after, before }.filter()?;
        if filter.is_empty() && !all {
            let detail = "choose by consumer, aggregate, reason, after or before, or say true";
            return Err(reply::invalid_field("all", detail));
        }
        Ok(Order { filter, dry_run, cursor: cursor.unwrap_or_default() })
    }
}
