//! Cursors: opaque to clients, so that what is in them may change.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use eventsourcing::StreamIdentity;

/// Between a cursor and the stream whose positions it means. Base64 has no such character.
const OF: char = '.';
/// How much of an identity is enough to tell two streams apart.
const DIGITS: usize = 12;

/// The end of an identity, where it is random.
fn tag(stream: StreamIdentity) -> String {
    let identity = stream.to_string();
    identity[identity.len().saturating_sub(DIGITS)..].to_owned()
}

/// Says in `cursor` that it is of `stream`.
pub(crate) fn put_stream(cursor: &mut String, stream: StreamIdentity) {
    cursor.push(OF);
    cursor.push_str(&tag(stream));
}

/// Takes that out of it again; `false` when it is of another stream. One of before cursors said so may be of any.
pub(crate) fn take_stream(cursor: &mut String, stream: StreamIdentity) -> bool {
    match cursor.split_once(OF) {
        None => true,
        Some((rest, of)) if of == tag(stream) => {
            *cursor = rest.to_owned();
            true
        }
        Some(_) => false,
    }
}

/// The cursor behind the item at `position`.
#[must_use]
pub fn write(position: i64) -> String {
    URL_SAFE_NO_PAD.encode(position.to_be_bytes())
}

/// The position that a cursor stands for; `None` when it is none of ours.
#[must_use]
pub fn read(cursor: &str) -> Option<i64> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let position = i64::from_be_bytes(bytes.try_into().ok()?);
    (position > 0).then_some(position)
}

/// The cursor behind `offset` items of those up to the position `newest`.
#[must_use]
pub fn write_pair(newest: i64, offset: i64) -> String {
    let bytes = [newest.to_be_bytes(), offset.to_be_bytes()].concat();
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What such a cursor stands for; `None` when it is none of ours.
#[must_use]
pub fn read_pair(cursor: &str) -> Option<(i64, i64)> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (newest, offset) = bytes.split_at_checked(8)?;
    let newest = i64::from_be_bytes(newest.try_into().ok()?);
    let offset = i64::from_be_bytes(offset.try_into().ok()?);
    (newest >= 0 && offset > 0).then_some((newest, offset))
}

/// The cursor behind the item that is called `text`.
#[must_use]
pub fn write_text(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// What such a cursor stands for; `None` when it is none of ours.
#[must_use]
pub fn read_text(cursor: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_of_one_stream_or_says_nothing_about_it() {
        let of = |text: &str| text.parse::<StreamIdentity>().expect("an identity");
        let ours = of("01a21594f5d17265be7efbdb04da9964");
        let renewed = of("01a21594f5d17265be7efbdb04da9964.01a21594fa4b728199fd53b65b36a0db");
        let mut cursor = write(42);
        put_stream(&mut cursor, ours);
        assert!(!take_stream(&mut cursor.clone(), renewed));
        assert!(take_stream(&mut cursor, ours));
        assert_eq!(read(&cursor), Some(42));
        assert!(take_stream(&mut cursor, renewed), "one of the release before");
    }

    #[test]
    fn a_cursor_is_read_as_it_is_written_and_nothing_else_is() {
        assert_eq!(read(&write(42)), Some(42));
        for other in ["", "x", "AAAAAAAAAAA", &write(-1), "🦀"] {
            assert_eq!(read(other), None, "{other}");
            assert_eq!(read_pair(other), None, "{other}");
        }
        assert_eq!(read_pair(&write_pair(42, 20)), Some((42, 20)));
        assert_eq!(read_pair(&write_pair(42, -1)), None);
    }
}
