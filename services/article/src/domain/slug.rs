//! What a slug must be: safe in a path as it stands, and written in one way only.

use eventsourcing::FieldError;

/// The longest slug.
const MAX: usize = 100;

/// What is wrong with `slug`, if anything is.
pub(crate) fn flaw(slug: &str) -> Option<FieldError> {
    let word = |word: &str| {
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    let is_slug = (1..=MAX).contains(&slug.len()) && slug.split('-').all(word);
    let detail =
        format!("must be 1 to {MAX} characters of a-z and 0-9, with single hyphens between words");
    (!is_slug).then(|| FieldError::new("slug", detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_small_letters_and_digits_are_a_slug_and_nothing_else_is() {
        for slug in ["a", "first-light", "2026-11-21", &"x".repeat(MAX)] {
            assert_eq!(flaw(slug), None, "{slug}");
        }
        let too_long = "x".repeat(MAX + 1);
        for text in ["", "-", "a-", "-a", "a--b", "A", "é", "a b", "a/b", "a.b", "a\0", &too_long]
        {
            assert!(flaw(text).is_some(), "{text}");
        }
    }
}
