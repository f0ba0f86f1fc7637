//! Cursors: opaque to clients, so that what is in them may change.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// The cursor behind the item at `position`.
pub(super) fn write(position: i64) -> String {
    URL_SAFE_NO_PAD.encode(position.to_be_bytes())
}

/// The position that a cursor stands for; `None` when it is none of ours.
pub(super) fn read(cursor: &str) -> Option<i64> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let position = i64::from_be_bytes(bytes.try_into().ok()?);
    (position > 0).then_some(position)
}

/// The cursor behind `offset` items of those up to the position `newest`.
pub(super) fn write_pair(newest: i64, offset: i64) -> String {
    let bytes = [newest.to_be_bytes(), offset.to_be_bytes()].concat();
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What such a cursor stands for; `None` when it is none of ours.
pub(super) fn read_pair(cursor: &str) -> Option<(i64, i64)> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (newest, offset) = bytes.split_at_checked(8)?;
    let newest = i64::from_be_bytes(newest.try_into().ok()?);
    let offset = i64::from_be_bytes(offset.try_into().ok()?);
    (newest >= 0 && offset > 0).then_some((newest, offset))
}

/// The cursor behind the item that is called `text`.
pub(super) fn write_text(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// What such a cursor stands for; `None` when it is none of ours.
pub(super) fn read_text(cursor: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

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
