//! Snippets, made safe for HTML.

use crate::projection::rows::MARKS;

/// The longest snippet, in Unicode scalar values.
const MAX_SNIPPET: usize = 300;

/// The snippet as HTML: text, and `<mark>` around what was found. No longer than [`MAX_SNIPPET`]: what counts as one word
/// is as long as its author likes.
pub(super) fn highlighted(snippet: &str) -> String {
    let first = snippet.chars().position(|char| char == MARKS[0]).unwrap_or_default();
    let seen = snippet.chars().skip(first.saturating_sub(MAX_SNIPPET / 3)).take(MAX_SNIPPET);
    let (mut html, mut is_open) = (String::with_capacity(snippet.len() + 32), false);
    for char in seen {
        match char {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            // The text may have such characters of its own.
            char if MARKS.contains(&char) => {
                if is_open != (char == MARKS[0]) {
                    is_open = !is_open;
                    html.push_str(if is_open { "<mark>" } else { "</mark>" });
                }
            }
            char => html.push(char),
        }
    }
    if is_open {
        html.push_str("</mark>");
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_author_wrote_stays_text() {
        let snippet = "<b> & \u{1}found\u{2} 'it'";
        assert_eq!(highlighted(snippet), "&lt;b&gt; &amp; <mark>found</mark> &#39;it&#39;");
        assert_eq!(highlighted("\u{2}a\u{1}\u{1}b"), "a<mark>b</mark>");
    }

    #[test]
    fn a_snippet_is_bounded_and_shows_what_was_found() {
        let html =
            highlighted(&format!("{}\u{1}found\u{2}{}", "x".repeat(9000), "\"".repeat(9000)));
        assert!(html.contains("<mark>found</mark>"));
        assert!(html.chars().count() < MAX_SNIPPET * 6 + 30, "{}", html.len());
    }
}
