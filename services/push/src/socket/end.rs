//! Why a connection ends, and how.

#[cfg(test)]
mod tests;

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_tungstenite::tungstenite::{
    Error, Message,
    error::ProtocolError,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use super::{connection::Socket, incoming::Refused};
use crate::frame::ServerFrame;

/// How long the closing handshake may take.
const GOODBYE: Duration = Duration::from_secs(3);
/// How long the client may take to end the connection behind it.
const LINGER: Duration = Duration::from_secs(1);

/// Why a connection ends. Below 4000 a code is one of the standard's; of our own, below 4500 the client may come back at
/// once, from 4500 on only with something changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The client said goodbye.
    Closed,
    /// The client vanished.
    Gone,
    /// The server stops (RFC 6455, 7.4.1: going away).
    Stopping,
    /// The client broke the protocol (7.4.1).
    ProtocolError,
    /// The client sent a binary message (7.4.1: a type of data that cannot be accepted).
    NotText,
    /// The client sent text that is not UTF-8 (7.4.1).
    NotUtf8,
    /// The client sent a message that is too large (7.4.1).
    TooLarge,
    /// There is no room for the message just now (IANA: try again later).
    Busy,
    /// The client did not read fast enough; it misses nothing when it resumes.
    TooSlow,
    /// The server could not replay.
    Failed,
    /// The stream is another one: what the client has heard of it may have never happened.
    Replaced,
    /// The token ended.
    Expired,
    /// The client did not finish a message in time.
    MessageTimeout,
}

impl End {
    /// What the failure of a read means.
    pub(super) fn of(error: &Error) -> Self {
        match error {
            Error::Capacity(_) => Self::TooLarge,
            Error::Utf8(_) => Self::NotUtf8,
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Self::Gone,
            Error::Protocol(_) => Self::ProtocolError,
            Error::Io(error) => {
                match error.get_ref().and_then(|error| error.downcast_ref::<Refused>()) {
                    Some(Refused::MessageTimeout) => Self::MessageTimeout,
                    Some(Refused::NoRoom) => Self::Busy,
                    None => Self::Gone,
                }
            }
            _ => Self::Gone,
        }
    }

    /// The stable name of the reason.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed-by-client",
            Self::Gone => "gone",
            _ => self.close().map_or("gone", |(_, reason)| reason),
        }
    }

    fn close(self) -> Option<(u16, &'static str)> {
        match self {
            Self::Closed | Self::Gone => None,
            Self::Stopping => Some((1001, "going-away")),
            Self::ProtocolError => Some((1002, "protocol-error")),
            Self::NotText => Some((1003, "not-text")),
            Self::NotUtf8 => Some((1007, "not-utf-8")),
            Self::TooLarge => Some((1009, "message-too-large")),
            Self::Busy => Some((1013, "try-again-later")),
            Self::TooSlow => Some((4008, "too-slow")),
            Self::Failed => Some((4011, "replay-failed")),
            Self::Replaced => Some((4012, "stream-replaced")),
            Self::Expired => Some((4501, "token-expired")),
            Self::MessageTimeout => Some((4504, "message-timeout")),
        }
    }

    /// How long the client should wait: spread out, so that not all come back at once.
    fn reconnect_after_ms(self, client: u64) -> u64 {
        match self {
            Self::Stopping | Self::Replaced => 500 + client % 16 * 250,
            Self::Busy => 1000 + client % 16 * 250,
            _ => 0,
        }
    }

    /// Says goodbye, if there is somebody to say it to, and ends the connection: the closing handshake (RFC 6455, 7.1.2),
    /// then TCP, from this side first (7.1.1).
    pub(super) async fn tell(self, mut socket: Socket, client: u64) {
        if self == Self::Gone {
            return;
        }
        // Whoever does not listen any more misses nothing.
        let _ = tokio::time::timeout(GOODBYE, self.shake_hands(&mut socket, client)).await;
        let mut stream = socket.into_inner().into_inner();
        let _ = tokio::time::timeout(LINGER, async {
            stream.shutdown().await?;
            // A close with something unread would take back what is on its way to the client.
            let mut unread = [0; 1024];
            while stream.read(&mut unread).await? > 0 {}
            Ok::<_, std::io::Error>(())
        })
        .await;
    }

    async fn shake_hands(self, socket: &mut Socket, client: u64) {
        if let Some((code, reason)) = self.close() {
            let reconnect_after_ms = self.reconnect_after_ms(client);
            let bye = ServerFrame::Bye { reason, reconnect_after_ms }.text();
            let _ = socket.send(Message::Text(bye)).await;
            let close = CloseFrame { code: CloseCode::from(code), reason: reason.into() };
            let _ = socket.send(Message::Close(Some(close))).await;
        } else {
            // The library has an answer with the same code ready.
            let _ = socket.flush().await;
        }
        // The client's part; what it still says before is of no use. Behind a failure there is nothing to be read.
        while let Some(Ok(_)) = socket.next().await {}
    }
}
