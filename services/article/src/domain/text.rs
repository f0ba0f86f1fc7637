//! What a title and a content must be. Valid text is kept byte for byte.

use eventsourcing::FieldError;

use super::bounded::Bounds;

/// The longest title, in Unicode scalar values.
const MAX_TITLE: usize = 200;

/// What is wrong with a title and a content.
pub(crate) fn flaws(
    title: &str,
    content: &str,
    bounds: Bounds,
) -> impl Iterator<Item = FieldError> {
    // Where a number of characters does not fit into a usize, no text is that long.
    let max_content = usize::try_from(bounds.content.get()).unwrap_or(usize::MAX);
    [flaw("title", title, MAX_TITLE), flaw("content", content, max_content)].into_iter().flatten()
}

fn flaw(field: &'static str, text: &str, max: usize) -> Option<FieldError> {
    let length = text.chars().count();
    let detail = if !(1..=max).contains(&length) {
        format!("must be 1 to {max} characters long, not {length}")
    } else if text.trim().is_empty() {
        "must not be only white space".to_owned()
    } else if text.contains('\0') {
        // Databases end a text at it; no reader could see it anyway.
        "must not contain the character U+0000".to_owned()
    } else {
        return None;
    };
    Some(FieldError::new(field, detail))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    #[test]
    fn lengths_are_counted_in_characters() {
        let bounds = Bounds { content: NonZeroU32::new(7).expect("not 0") };
        let max = 7;
        assert_eq!(flaws(&"🦀".repeat(MAX_TITLE), &"🦀".repeat(max), bounds).count(), 0);
        for (title, content) in [
            (String::new(), "C".to_owned()),
            ("x".repeat(MAX_TITLE + 1), "C".to_owned()),
            ("T".to_owned(), String::new()),
            ("T".to_owned(), "x".repeat(max + 1)),
        ] {
            assert_eq!(flaws(&title, &content, bounds).count(), 1);
        }
    }

    #[test]
    fn white_space_of_every_kind_and_nul_are_refused() {
        for text in [" ", "\t\r\n", "\u{a0}\u{3000}\u{2028}", "a\0b"] {
            assert_eq!(flaws(text, "C", Bounds::default()).count(), 1, "{text:?}");
            assert_eq!(flaws("T", text, Bounds::default()).count(), 1, "{text:?}");
        }
    }
}
