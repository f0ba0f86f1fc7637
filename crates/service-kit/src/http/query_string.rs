//! Query strings, in the form of the WHATWG URL standard: `name=value&name=value`, percent-encoded, `+` for a blank.

use std::borrow::Cow;

use percent_encoding::percent_decode;
use serde_json::{Map, Value};

use crate::json::JsonError;

/// The parameters of `query` as the members of an object.
///
/// # Errors
/// Names the parameter that is not UTF-8, or there twice.
pub fn members(query: &str) -> Result<Map<String, Value>, JsonError> {
    let mut members = Map::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decode(name), decode(value));
        let wrong =
            |name, detail: &str| Err(JsonError::Member { path: name, detail: detail.to_owned() });
        match (name, value) {
            (Ok(name), Ok(_)) if members.contains_key(&name) => {
                return wrong(name, "is there twice");
            }
            (Ok(name), Ok(value)) => {
                members.insert(name, Value::String(value));
            }
            (Ok(name) | Err(name), _) => return wrong(name, "must be UTF-8, percent-encoded"),
        }
    }
    Ok(members)
}

/// The text that is meant; otherwise as much of it as can be shown.
fn decode(text: &str) -> Result<String, String> {
    let spaced = text.replace('+', " ");
    let octets: Cow<'_, [u8]> = percent_decode(spaced.as_bytes()).into();
    String::from_utf8(octets.into_owned())
        .map_err(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_and_values_are_decoded() {
        for (query, expected) in [
            ("", json!({})),
            ("&&", json!({})),
            ("a=1&b=", json!({ "a": "1", "b": "" })),
            ("a&b=c=d", json!({ "a": "", "b": "c=d" })),
            ("%61=x+y%20z%2B", json!({ "a": "x y z+" })),
            ("a=%C3%A9%F0%9F%A6%80", json!({ "a": "é🦀" })),
            // No encoding of anything: the standard leaves it as it is.
            ("a=100%&b=%zz", json!({ "a": "100%", "b": "%zz" })),
        ] {
            assert_eq!(members(query).map(Value::Object), Ok(expected), "{query}");
        }
    }

    #[test]
    fn what_is_no_text_or_there_twice_is_named() {
        for (query, name) in [
            ("q=%FF", "q"),
            ("a=1&q=%ED%A0%80", "q"),
            ("q%FF=1", "q\u{fffd}"),
            ("q=1&a=2&q=1", "q"),
            ("q=1&%71=1", "q"),
        ] {
            let Err(JsonError::Member { path, .. }) = members(query) else { panic!("{query}") };
            assert_eq!(path, name, "{query}");
        }
    }
}
