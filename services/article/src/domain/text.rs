//! What a title and a content must be. Valid text is kept byte for byte.

use eventsourcing::FieldError;

/// The longest title, in Unicode scalar values.
const MAX_TITLE: usize = 200;
/// The longest content, in Unicode scalar values.
const MAX_CONTENT: usize = 10_000;

/// What is wrong with a title and a content.
pub(crate) fn flaws(title: &str, content: &str) -> impl Iterator<Item = FieldError> {
    [flaw("title", title, MAX_TITLE), flaw("content", content, MAX_CONTENT)].into_iter().flatten()
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
    use super::*;

    #[test]
    fn lengths_are_counted_in_characters() {
        assert_eq!(flaws(&"🦀".repeat(MAX_TITLE), &"🦀".repeat(MAX_CONTENT)).count(), 0);
        for (title, content) in [
            (String::new(), "C".to_owned()),
            ("x".repeat(MAX_TITLE + 1), "C".to_owned()),
            ("T".to_owned(), String::new()),
            ("T".to_owned(), "x".repeat(MAX_CONTENT + 1)),
        ] {
            assert_eq!(flaws(&title, &content).count(), 1);
        }
    }

    #[test]
    fn white_space_of_every_kind_and_nul_are_refused() {
        for text in [" ", "\t\r\n", "\u{a0}\u{3000}\u{2028}", "a\0b"] {
            assert_eq!(flaws(text, "C").count(), 1, "{text:?}");
            assert_eq!(flaws("T", text).count(), 1, "{text:?}");
        }
    }
}
