//! Where in a stream of frames (RFC 6455, 5.2) a connection is.

use std::io::Cursor;

use tokio_tungstenite::tungstenite::protocol::frame::{FrameHeader, coding::OpCode};

/// The longest header.
const MAX_HEADER: usize = 14;

/// Follows the frames of one direction. It judges nothing: that is the library's part.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// What there is of the next frame's header.
    header: Vec<u8>,
    /// What the current frame's payload still lacks, in bytes.
    rest: u64,
    /// Whether the current frame is its message's last.
    last: bool,
    /// Payload of the data message that is on its way, up to the end of the current frame, in bytes.
    message: Option<u64>,
}

impl Frames {
    /// Goes over the bytes that came next.
    pub(super) fn advance(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.rest > 0 {
                let here = usize::try_from(self.rest).unwrap_or(usize::MAX).min(bytes.len());
                bytes = &bytes[here..];
                self.rest -= here as u64;
                self.end_frame();
                continue;
            }
            let known = self.header.len();
            let more = bytes.len().min(MAX_HEADER - known);
            self.header.extend_from_slice(&bytes[..more]);
            let mut cursor = Cursor::new(&self.header);
            // Nonsense ends the connection in a moment.
            let Ok(Some((header, length))) = FrameHeader::parse(&mut cursor) else { return };
            let used = usize::try_from(cursor.position()).unwrap_or(MAX_HEADER);
            bytes = &bytes[used - known..];
            self.header = Vec::new();
            self.begin_frame(&header, length);
            self.end_frame();
        }
    }

    /// Whether a message, or a frame that belongs to none, has begun and not ended.
    pub(super) fn unfinished(&self) -> bool {
        self.message.is_some() || self.rest > 0 || !self.header.is_empty()
    }

    /// The size of the data message that is on its way, as far as its frames have told it.
    pub(super) fn message_bytes(&self) -> u64 {
        self.message.unwrap_or(0)
    }

    fn begin_frame(&mut self, header: &FrameHeader, length: u64) {
        self.rest = length;
        // A control frame may come between those of a message (5.4).
        self.last = match header.opcode {
            OpCode::Data(_) => {
                self.message = Some(self.message.unwrap_or(0).saturating_add(length));
                header.is_final
            }
            OpCode::Control(_) => false,
        };
    }

    fn end_frame(&mut self) {
        if self.rest == 0 && self.last {
            (self.message, self.last) = (None, false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: [u8; 4] = [1, 2, 3, 4];

    fn frame(first: u8, payload: usize) -> Vec<u8> {
        let mut bytes = vec![first];
        match (u8::try_from(payload), u16::try_from(payload)) {
            (Ok(short), _) if short < 126 => bytes.push(0x80 | short),
            (_, Ok(long)) => {
                bytes.push(0xFE);
                bytes.extend(long.to_be_bytes());
            }
            _ => {
                bytes.push(0xFF);
                bytes.extend((payload as u64).to_be_bytes());
            }
        }
        bytes.extend(MASK);
        bytes.resize(bytes.len() + payload, 0);
        bytes
    }

    #[test]
    fn a_message_is_unfinished_from_its_first_byte_to_its_last() {
        for payload in [0, 1, 125, 126, 65_535, 65_536] {
            let bytes = frame(0x81, payload);
            let mut frames = Frames::default();
            assert!(!frames.unfinished());
            for byte in &bytes[..bytes.len() - 1] {
                frames.advance(std::slice::from_ref(byte));
                assert!(frames.unfinished(), "{payload}");
            }
            assert_eq!(frames.message_bytes(), if payload == 0 { 0 } else { payload as u64 });
            frames.advance(&bytes[bytes.len() - 1..]);
            assert!(!frames.unfinished(), "{payload}");
            // And at once, with the next one behind it.
            let mut frames = Frames::default();
            frames.advance(&[bytes.clone(), bytes].concat());
            assert!(!frames.unfinished(), "{payload}");
        }
    }

    #[test]
    fn a_ping_between_fragments_ends_no_message() {
        let mut frames = Frames::default();
        frames.advance(&[frame(0x01, 10), frame(0x89, 5), frame(0x00, 20)].concat());
        assert!(frames.unfinished());
        assert_eq!(frames.message_bytes(), 30);
        frames.advance(&frame(0x80, 0));
        assert!(!frames.unfinished());
    }

    #[test]
    fn half_a_ping_is_unfinished_and_has_no_size() {
        let mut frames = Frames::default();
        frames.advance(&frame(0x89, 5)[..3]);
        assert!(frames.unfinished());
        frames.advance(&frame(0x89, 5)[3..8]);
        assert!(frames.unfinished());
        assert_eq!(frames.message_bytes(), 0);
    }
}
