use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use eventsourcing::AggregateId;
use messaging::{consumer::DeadLetter, names::header};
use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// A dead letter in a list.
#[derive(Debug, Serialize)]
pub(super) struct Item {
    number: u64,
    consumer: String,
    reason: String,
    time: Option<String>,
    subject: String,
    aggregate_id: Option<AggregateId>,
    position: u64,
    r#type: Option<String>,
}

/// A dead letter with all that it holds.
#[derive(Debug, Serialize)]
pub(super) struct Whole {
    #[serde(flatten)]
    item: Item,
    headers: BTreeMap<String, Vec<String>>,
    body: String,
    /// How `body` is to be read: `utf-8` or `base64`.
    body_encoding: &'static str,
}

impl From<&DeadLetter> for Item {
    fn from(letter: &DeadLetter) -> Self {
        let rfc3339 = |time: OffsetDateTime| time.format(&Rfc3339).ok();
        Self {
            number: letter.sequence,
            consumer: letter.consumer.clone(),
            reason: letter.reason.clone(),
            time: letter.time.and_then(rfc3339),
            subject: letter.message.subject.clone(),
            aggregate_id: letter.aggregate_id(),
            position: letter.message.position,
            r#type: letter.message.headers.get(header::CE_TYPE).map(ToString::to_string),
        }
    }
}

impl From<&DeadLetter> for Whole {
    fn from(letter: &DeadLetter) -> Self {
        let headers = letter.message.headers.iter().map(|(name, values)| {
            (name.to_string(), values.iter().map(ToString::to_string).collect())
        });
        let (body, body_encoding) = readable(&letter.message.payload);
        Self { item: letter.into(), headers: headers.collect(), body, body_encoding }
    }
}

/// A body as a JSON string, and how that is to be read.
fn readable(body: &[u8]) -> (String, &'static str) {
    match std::str::from_utf8(body) {
        Ok(text) => (text.to_owned(), "utf-8"),
        Err(_) => (STANDARD.encode(body), "base64"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_is_no_text_is_given_in_base64() {
        assert_eq!(readable("ä".as_bytes()), ("ä".to_owned(), "utf-8"));
        assert_eq!(readable(&[0xff, 0x00]), ("/wA=".to_owned(), "base64"));
    }
}
