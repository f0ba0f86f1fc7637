//! What tags must be, and the one form in which they are kept.

use contracts::article::{MAX_TAG_CHARS, MAX_TAGS, tag_form};
use eventsourcing::FieldError;

/// `tags` in lower case, with one hyphen for white space inside, each once, in the order given.
///
/// # Errors
/// The first that cannot be a tag, or that there are too many.
pub(crate) fn normalise(tags: &[String]) -> Result<Vec<String>, FieldError> {
    // Before any work: it is the sender who says how many there are.
    if tags.len() > MAX_TAGS {
        let detail = format!("must be at most {MAX_TAGS}, not {}", tags.len());
        return Err(FieldError::new("tags", detail));
    }
    let mut normal: Vec<String> = Vec::with_capacity(tags.len());
    for (index, tag) in tags.iter().enumerate() {
        let tag = tag_form(tag);
        let length = tag.chars().count();
        if !(1..=MAX_TAG_CHARS).contains(&length) || tag.chars().any(char::is_control) {
            let detail =
                format!("must be 1 to {MAX_TAG_CHARS} characters without control characters");
            return Err(FieldError::new(format!("tags[{index}]"), detail));
        }
        if !normal.contains(&tag) {
            normal.push(tag);
        }
    }
    Ok(normal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(tags: &[&str]) -> Result<Vec<String>, FieldError> {
        normalise(&tags.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn tags_that_read_alike_are_one() {
        let tags = normal(&[" Event  Sourcing", "event\tsourcing", "NATS", "größe", "Größe"]);
        assert_eq!(tags, Ok(vec!["event-sourcing".into(), "nats".into(), "größe".into()]));
        let again = normalise(tags.as_ref().expect("valid"));
        assert_eq!(again, tags, "normal tags stay as they are");
    }

    #[test]
    fn too_many_too_long_and_empty_ones_are_refused() {
        assert!(normal(&["t"; MAX_TAGS]).is_ok());
        assert_eq!(normal(&["t"; MAX_TAGS + 1]).map_err(|error| error.field), Err("tags".into()));
        for tag in ["", " ", &"x".repeat(MAX_TAG_CHARS + 1), "a\0b", "a\u{7f}"] {
            assert_eq!(normal(&["t", tag]).map_err(|error| error.field), Err("tags[1]".into()));
        }
    }
}
