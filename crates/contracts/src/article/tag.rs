/// The most tags that an article has.
pub const MAX_TAGS: usize = 10;
/// The longest tag, in Unicode scalar values.
pub const MAX_TAG_CHARS: usize = 40;

/// The one form of a tag: lower case, a hyphen for white space inside. Tags in this form are equal or different.
#[must_use]
pub fn tag_form(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join("-").to_lowercase()
}
