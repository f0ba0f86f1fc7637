//! What waits for one client, bounded in bytes: a slow client must cost itself only.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::extract::ws::Utf8Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// The hub's end of a queue.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    frames: mpsc::UnboundedSender<Utf8Bytes>,
    bytes: Arc<AtomicUsize>,
    max_bytes: usize,
    overflow: CancellationToken,
}

/// The socket's end of a queue.
#[derive(Debug)]
pub(crate) struct Receiver {
    frames: mpsc::UnboundedReceiver<Utf8Bytes>,
    bytes: Arc<AtomicUsize>,
    overflow: CancellationToken,
}

/// A queue that takes up to `max_bytes`.
pub(crate) fn queue(max_bytes: usize) -> (Sender, Receiver) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let (bytes, overflow) = (Arc::new(AtomicUsize::new(0)), CancellationToken::new());
    (
        Sender { frames: sender, bytes: bytes.clone(), max_bytes, overflow: overflow.clone() },
        Receiver { frames: receiver, bytes, overflow },
    )
}

impl Sender {
    /// Queues `frame`; when that is too much, nothing more is queued and the receiver hears of it.
    pub(crate) fn push(&self, frame: Utf8Bytes) {
        if self.overflow.is_cancelled() {
            return;
        }
        let size = frame.len();
        if self.bytes.fetch_add(size, Ordering::Relaxed) + size > self.max_bytes {
            self.overflow.cancel();
        } else {
            // The receiver may be gone: then nobody misses the frame.
            let _ = self.frames.send(frame);
        }
    }
}

impl Receiver {
    /// Is cancelled when the queue is too full.
    pub(crate) fn overflow(&self) -> CancellationToken {
        self.overflow.clone()
    }

    /// The next frame; `None` when the queue was too full, now or before. Safe to cancel.
    pub(crate) async fn pop(&mut self) -> Option<Utf8Bytes> {
        let frame = tokio::select! {
            biased;
            () = self.overflow.cancelled() => None,
            frame = self.frames.recv() => frame,
        }?;
        self.bytes.fetch_sub(frame.len(), Ordering::Relaxed);
        Some(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bytes_that_were_taken_make_room() {
        let (sender, mut receiver) = queue(10);
        for _ in 0..5 {
            sender.push("1234567890".into());
            assert_eq!(receiver.pop().await.as_deref(), Some("1234567890"));
        }
    }

    #[tokio::test]
    async fn too_much_ends_the_queue_instead_of_leaving_a_gap() {
        let (sender, mut receiver) = queue(10);
        sender.push("123456".into());
        sender.push("123456".into());
        sender.push("1".into());
        assert_eq!(receiver.pop().await, None);
    }
}
