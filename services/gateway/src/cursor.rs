//! Cursors that are numbers inside. A client sees a text, as every other cursor is, and sends back what it got.

use std::fmt;

use serde::{
    Deserializer, Serializer,
    de::{Error, Visitor},
};

/// Writes the cursor of a next page.
#[expect(clippy::ref_option, reason = "serde hands the field over by reference")]
pub(crate) fn serialize<S: Serializer>(next: &Option<u64>, to: S) -> Result<S::Ok, S::Error> {
    match next {
        Some(next) => to.collect_str(next),
        None => to.serialize_none(),
    }
}

/// Reads a cursor that a client sends back in a body: a text, or a number as answers had it before.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    from.deserialize_any(TextOrNumber)
}

struct TextOrNumber;

impl Visitor<'_> for TextOrNumber {
    type Value = Option<u64>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the next of another answer")
    }

    fn visit_unit<E: Error>(self) -> Result<Option<u64>, E> {
        Ok(None)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Option<u64>, E> {
        Ok(Some(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Option<u64>, E> {
        let wrong = |_| E::invalid_value(serde::de::Unexpected::Str(text), &self);
        text.parse().map(Some).map_err(wrong)
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};
    use serde_json::{Value, json};

    #[derive(Serialize, Deserialize)]
    struct Body {
        #[serde(default, with = "super")]
        cursor: Option<u64>,
    }

    fn read(body: Value) -> Result<Option<u64>, String> {
        let body = serde_json::from_value::<Body>(body);
        body.map(|body| body.cursor).map_err(|error| error.to_string())
    }

    #[test]
    fn a_cursor_is_written_as_text_and_read_as_text_or_number() {
        let written = |cursor| serde_json::to_value(Body { cursor }).expect("JSON");
        assert_eq!(written(Some(u64::MAX)), json!({ "cursor": u64::MAX.to_string() }));
        assert_eq!(written(None), json!({ "cursor": null }));
        for cursor in [None, Some(0), Some(u64::MAX)] {
            assert_eq!(read(written(cursor)), Ok(cursor));
            assert_eq!(read(json!({ "cursor": cursor })), Ok(cursor));
        }
        assert_eq!(read(json!({})), Ok(None));
        for wrong in [json!("x"), json!("-1"), json!(-1), json!(1.5), json!([])] {
            assert!(read(json!({ "cursor": wrong })).is_err(), "{wrong}");
        }
    }
}
