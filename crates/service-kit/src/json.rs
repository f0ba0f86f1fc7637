//! JSON (RFC 8259) from strangers: bodies, socket frames, lines of a file.
//!
//! What services tell each other over NATS is not read here: it stays open for members that a newer release adds.

mod unique;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use unique::Unique;

/// Why a text is not the JSON that was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// It is not JSON, not an object, or goes on after its end.
    #[error("{0}")]
    Malformed(String),
    /// One member is wrong, unknown, or there twice.
    #[error("{path}: {detail}")]
    Member {
        /// The member's dotted path, such as `tags[0]`.
        path: String,
        /// What is wrong with it.
        detail: String,
    },
}

/// Reads `text` as a `T`, which is told as one JSON object.
///
/// A list in place of the object is refused, although derived decoding would take its elements for the members; so are
/// members that are there twice, which readers on the way could understand differently (RFC 8259, 4). Whether members
/// that `T` does not have are refused is said by `T`, with `#[serde(deny_unknown_fields)]`.
pub fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, JsonError> {
    // Told apart here, since the error of derived decoding would name a type of ours.
    if text.trim_ascii_start().first() != Some(&b'{') {
        return Err(JsonError::Malformed("a JSON object was expected".to_owned()));
    }
    let value = whole(text);
    // An error that names no member may be about one that is there twice.
    if !matches!(value, Err(JsonError::Member { .. })) {
        whole::<Unique>(text)?;
    }
    value
}

/// Reads the members of an object that was told in another way, such as a query string.
pub fn read_members<T: DeserializeOwned>(members: Map<String, Value>) -> Result<T, JsonError> {
    serde_path_to_error::deserialize(Value::Object(members)).map_err(|error| wrong(&error))
}

fn whole<T: DeserializeOwned>(text: &[u8]) -> Result<T, JsonError> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| wrong(&error))?;
    let goes_on = |_| JsonError::Malformed("the text goes on after the object".to_owned());
    json.end().map_err(goes_on).map(|()| value)
}

fn wrong(error: &serde_path_to_error::Error<serde_json::Error>) -> JsonError {
    let (path, inner) = (error.path().to_string(), error.inner());
    // A wrong value has a place; broken syntax does not.
    if inner.is_data() && path != "." {
        JsonError::Member { path, detail: inner.to_string() }
    } else {
        JsonError::Malformed(inner.to_string())
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        title: Option<String>,
        #[serde(default)]
        tags: Vec<String>,
        count: Option<u64>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(tag = "type", rename_all = "snake_case")]
    enum Frame {
        Ping,
        Subscribe { topics: Vec<String> },
    }

    fn body(text: &str) -> Result<Body, JsonError> {
        read(text.as_bytes())
    }

    fn member(text: &str) -> (String, String) {
        match body(text).expect_err(text) {
            JsonError::Member { path, detail } => (path, detail),
            malformed @ JsonError::Malformed(_) => panic!("{text}: {malformed:?}"),
        }
    }

    #[test]
    fn an_object_is_read() {
        let expected =
            Body { title: Some("T".to_owned()), tags: vec!["a".to_owned()], count: Some(u64::MAX) };
        let text = format!(" {{\"title\":\"T\",\"tags\":[\"a\"],\"count\":{}}} ", u64::MAX);
        assert_eq!(body(&text), Ok(expected));
        assert_eq!(body("{}"), Ok(Body::default()));
        assert_eq!(read::<Frame>(br#"{"type":"ping"}"#), Ok(Frame::Ping));
    }

    #[test]
    fn a_list_or_a_scalar_is_no_object_and_no_type_of_ours_is_named() {
        for text in [
            "[\"T\",[],1]",
            "[]",
            "null",
            "\"ping\"",
            "1",
            "true",
            "",
            "{",
            "{}{}",
            "{} x",
            "{\"title\":\"\\ud800\"}",
            "{\"count\":1e99999}",
        ] {
            let error = body(text).expect_err(text);
            assert!(matches!(error, JsonError::Malformed(_)), "{text}: {error:?}");
            assert!(!error.to_string().contains("struct"), "{error}");
        }
        let error = read::<Frame>(b"[\"ping\"]").expect_err("a list");
        assert_eq!(error.to_string(), "a JSON object was expected");
        assert_eq!(body("\u{feff}{}").map_err(|_| ()), Err(()));
    }

    #[test]
    fn what_is_wrong_with_a_member_is_told_with_its_path() {
        let (path, detail) = member("{\"tags\":[\"a\",1]}");
        assert_eq!(path, "tags[1]");
        assert!(detail.starts_with("invalid type: integer `1`, expected a string"), "{detail}");
        let (path, detail) = member("{\"titel\":\"T\"}");
        assert_eq!(path, "titel");
        assert!(detail.contains("unknown field") && detail.contains("`title`"), "{detail}");
        let frame = read::<Frame>(br#"{"type":"subscribe","topics":"a"}"#).expect_err("no list");
        assert!(frame.to_string().contains("expected a sequence"), "{frame}");
    }

    #[test]
    fn a_member_that_is_there_twice_is_refused_wherever_it_is() {
        let (path, detail) = member("{\"title\":\"T\",\"title\":\"U\"}");
        assert!(path == "title" && detail.starts_with("is there twice"), "{path}: {detail}");
        let text = b"{\"x\":[{\"y\":1,\"y\":1}]}";
        let error = read::<Map<String, Value>>(text).expect_err("twice");
        assert!(error.to_string().starts_with("x[0].y: is there twice"), "{error}");
    }

    #[test]
    fn members_that_are_told_in_another_way_are_as_strict() {
        let members = |name: &str| Map::from_iter([(name.to_owned(), Value::from("T"))]);
        assert_eq!(read_members::<Body>(members("title")).expect("known").title, Some("T".into()));
        let error = read_members::<Body>(members("titel")).expect_err("unknown");
        assert!(error.to_string().starts_with("titel: unknown field"), "{error}");
    }

    #[test]
    fn a_text_that_is_nested_without_end_is_refused() {
        let deep = format!("{{\"x\":{}", "[".repeat(100_000));
        assert!(body(&deep).is_err());
    }
}
