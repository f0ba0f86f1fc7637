//! Texts as the search reads them, the same for both databases.
//!
//! Chinese, Japanese and Korean are written without spaces, or with few, so a database takes a sentence for one word. Here
//! each two neighbours of such a run of characters become a word, the last one alone another: a text that is looked for is in
//! a run when its pairs follow each other. What a reader cannot see or tell apart is made alike.

use std::borrow::Cow;

use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use icu_properties::{
    CodePointSetData,
    props::{DefaultIgnorableCodePoint, Script},
    script::ScriptWithExtensions,
};

use crate::projection::rows::MARKS;

/// Stands between the two words that share a character: the last of one is the first of the other.
const OVERLAP: char = '\u{1f}';
/// Stands between a run and what it touches.
const JOINT: char = '\u{1e}';
/// The scripts whose words nothing separates.
const SCRIPTS: [Script; 5] =
    [Script::Han, Script::Hiragana, Script::Katakana, Script::Hangul, Script::Bopomofo];
/// Letters and digits that are there once more in another width.
const WIDTHS: std::ops::RangeInclusive<char> = '\u{ff01}'..='\u{ffef}';

/// What the search reads in place of `text`; `None` when that is `text` itself.
pub(crate) fn searchable(text: &str) -> Option<String> {
    if text.is_ascii() {
        return None;
    }
    let composed = compose(text);
    let pairs = composed.chars().any(is_unspaced).then(|| pairs(&composed));
    pairs.or_else(|| (*composed != *text).then(|| composed.into_owned()))
}

/// A piece of a text that the search read, with [`MARKS`] in it, as people read it.
pub(crate) fn readable(piece: &str) -> String {
    let mut text = String::with_capacity(piece.len());
    let mut chars = piece.chars();
    while let Some(char) = chars.next() {
        match char {
            JOINT => {}
            OVERLAP => share(&mut text, &mut chars),
            char => text.push(char),
        }
    }
    text
}

/// Goes on behind the character that the word before and the next one share.
fn share(text: &mut String, chars: &mut std::str::Chars<'_>) {
    let (mut opens, last) = (false, text.chars().rev().find(|char| !MARKS.contains(char)));
    for char in chars.by_ref() {
        if MARKS.contains(&char) {
            opens |= char == MARKS[0];
            continue;
        }
        if last != Some(char) {
            // The piece begins here.
            text.extend(opens.then_some(MARKS[0]));
            text.push(char);
        } else if opens && text.ends_with(MARKS[1]) {
            text.pop();
        } else if opens {
            text.insert(text.len() - char.len_utf8(), MARKS[0]);
        }
        return;
    }
}

/// How many words of the search a piece has that shows where `words` were found: with pairs of characters it takes more to
/// say as much.
pub(crate) fn piece_length(words: &[String]) -> u8 {
    if words.iter().flat_map(|word| word.chars()).any(is_unspaced) { 48 } else { 24 }
}

/// A word that is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Phrase {
    /// What must be there, one behind the other.
    pub words: String,
    /// What the word behind them must begin with.
    pub begins: Option<char>,
}

impl Phrase {
    pub(crate) fn of(word: &str) -> Self {
        let mut words = searchable(word).unwrap_or_else(|| word.to_owned());
        let mut begins = None;
        if let Some(last) = words.chars().next_back().filter(|char| is_unspaced(*char)) {
            words.truncate(words.len() - last.len_utf8());
            // A run of one is the beginning of a pair, or the end of a longer run.
            match words.strip_suffix(OVERLAP).map(str::len) {
                Some(length) => words.truncate(length),
                None => begins = Some(last),
            }
        }
        Self { words, begins }
    }
}

/// The text without what nobody sees within words, with each character in one form (NFC, and one width).
fn compose(text: &str) -> Cow<'_, str> {
    const NFC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfc();
    if !text.chars().any(is_dropped_or_changed) {
        return NFC.normalize(text);
    }
    let wide = DecomposingNormalizerBorrowed::new_nfkd();
    let mut kept = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            OVERLAP | JOINT => kept.push(' '),
            char if is_unseen(char) && kept.ends_with(char::is_alphanumeric) => {}
            char if has_width(char) => kept.extend(wide.normalize_iter(std::iter::once(char))),
            char => kept.push(char),
        }
    }
    NFC.normalize(&kept).into_owned().into()
}

fn pairs(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let (mut before, mut chars) = (None, text.chars().peekable());
    while let Some(char) = chars.next() {
        let follows = before.filter(|before: &char| !before.is_whitespace()).map(is_unspaced);
        match (follows, is_unspaced(char)) {
            (Some(true), true) => out.push(OVERLAP),
            (Some(true), false) if char.is_whitespace() => {}
            (Some(true), false) | (Some(false), true) => out.push(JOINT),
            (Some(false) | None, _) => {}
        }
        out.push(char);
        out.extend(chars.peek().filter(|next| is_unspaced(char) && is_unspaced(**next)));
        before = Some(char);
    }
    out
}

fn is_unspaced(char: char) -> bool {
    let scripts = ScriptWithExtensions::new();
    // None of theirs is older than these.
    char >= '\u{1100}'
        && char.is_alphanumeric()
        && SCRIPTS.into_iter().any(|script| scripts.has_script(char, script))
}

fn is_dropped_or_changed(char: char) -> bool {
    matches!(char, OVERLAP | JOINT) || is_unseen(char) || has_width(char)
}

/// A soft hyphen, a space without width, and the like.
fn is_unseen(char: char) -> bool {
    !char.is_ascii() && CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(char)
}

fn has_width(char: char) -> bool {
    WIDTHS.contains(&char) && char.is_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_becomes_its_pairs_and_is_read_as_it_was() {
        for (text, read) in [
            ("天気", "天気\u{1f}気"),
            ("猫", "猫"),
            ("Rust入門、です。", "Rust\u{1e}入門\u{1f}門\u{1e}、\u{1e}です\u{1f}す\u{1e}。"),
            ("天 気", "天 気"),
            ("テーブル", "テー\u{1f}ーブ\u{1f}ブル\u{1f}ル"),
        ] {
            assert_eq!(searchable(text).as_deref().unwrap_or(text), read);
            assert_eq!(readable(read), text);
        }
    }

    #[test]
    fn a_text_that_needs_nothing_is_left_alone() {
        for text in ["", "plain", "Grüße – «ça va»", "❤\u{fe0f} 👩\u{200d}🚀", "ελληνικά"]
        {
            assert_eq!(searchable(text), None, "{text}");
        }
    }

    #[test]
    fn what_looks_alike_is_alike() {
        for (text, read) in [
            ("a\u{ad}b\u{200b}c", "abc"),
            ("e\u{301}", "é"),
            ("Ｒ２", "R2"),
            ("ﾊﾟ", "パ"),
            ("é\u{1f}", "é "),
        ] {
            assert_eq!(searchable(text).as_deref(), Some(read), "{text}");
        }
    }

    #[test]
    fn marks_stand_around_what_was_found_wherever_a_piece_begins() {
        for (piece, text) in [
            ("天\u{1}気予\u{2}", "天\u{1}気予\u{2}"),
            ("天気\u{1f}\u{1}気予\u{2}\u{1f}予報", "天\u{1}気予\u{2}報"),
            ("\u{1}天気\u{1f}気予\u{2}\u{1f}予報", "\u{1}天気予\u{2}報"),
            ("\u{1}天気\u{2}\u{1f}\u{1}気予\u{2}\u{1f}予報", "\u{1}天気予\u{2}報"),
            ("…\u{1f}気予", "…気予"),
            ("\u{1f}\u{1}気予\u{2}", "\u{1}気予\u{2}"),
        ] {
            assert_eq!(readable(piece), text, "{piece:?}");
        }
    }

    #[test]
    fn a_word_is_looked_for_by_its_pairs_or_its_beginning() {
        let phrase = |words: &str, begins| Phrase { words: words.to_owned(), begins };
        assert_eq!(Phrase::of("plain"), phrase("plain", None));
        assert_eq!(Phrase::of("天気予"), phrase("天気\u{1f}気予", None));
        assert_eq!(Phrase::of("猫"), phrase("", Some('猫')));
        assert_eq!(Phrase::of("Rust入"), phrase("Rust\u{1e}", Some('入')));
        assert_eq!(Phrase::of("入門R"), phrase("入門\u{1f}門\u{1e}R", None));
    }
}
