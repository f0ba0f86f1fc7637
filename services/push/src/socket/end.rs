use axum::extract::ws::{CloseFrame, Message, WebSocket};

use crate::frame::ServerFrame;

/// Why a connection ends. The code carries the verdict: below 4500 the client may come back at once, from 4500
/// on only with something changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The client left or vanished.
    Gone,
    /// The server stops (RFC 6455, 7.4.1: going away).
    Stopping,
    /// The client did not read fast enough; it misses nothing when it resumes.
    TooSlow,
    /// The token ended.
    Expired,
    /// The client sent something that is no text frame, or too large.
    BadMessage,
    /// The server could not replay.
    Failed,
}

impl End {
    fn close(self) -> Option<(u16, &'static str)> {
        match self {
            Self::Gone => None,
            Self::Stopping => Some((1001, "going-away")),
            Self::TooSlow => Some((4008, "too-slow")),
            Self::Failed => Some((4011, "replay-failed")),
            Self::Expired => Some((4501, "token-expired")),
            Self::BadMessage => Some((4503, "bad-message")),
        }
    }

    /// How long the client should wait: spread out, so that not all come back at once.
    fn reconnect_after_ms(self, client: u64) -> u64 {
        match self {
            Self::Stopping => 500 + client % 16 * 250,
            _ => 0,
        }
    }

    /// Says goodbye, if there is somebody to say it to.
    pub(super) async fn tell(self, socket: &mut WebSocket, client: u64) {
        let Some((code, reason)) = self.close() else { return };
        let reconnect_after_ms = self.reconnect_after_ms(client);
        let bye = ServerFrame::Bye { reason, reconnect_after_ms }.text();
        // Whoever does not listen any more misses nothing.
        let _ = socket.send(Message::Text(bye)).await;
        let close = CloseFrame { code, reason: reason.into() };
        let _ = socket.send(Message::Close(Some(close))).await;
    }
}
