//! What waits for one client, bounded in bytes: a slow client must cost itself only.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_util::sync::CancellationToken;

/// A frame about the event at a position.
#[derive(Debug, Clone)]
pub(crate) struct Queued {
    pub(crate) position: u64,
    pub(crate) frame: Utf8Bytes,
}

/// The hub's end of a queue.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    frames: mpsc::UnboundedSender<Queued>,
    bytes: Arc<AtomicUsize>,
    max_bytes: usize,
    overflow: CancellationToken,
}

/// The socket's end of a queue.
#[derive(Debug)]
pub(crate) struct Receiver {
    frames: mpsc::UnboundedReceiver<Queued>,
    /// One that was taken and found to be too new.
    front: Option<Queued>,
    bytes: Arc<AtomicUsize>,
    overflow: CancellationToken,
}

/// A queue that takes up to `max_bytes`.
pub(crate) fn queue(max_bytes: usize) -> (Sender, Receiver) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let (bytes, overflow) = (Arc::new(AtomicUsize::new(0)), CancellationToken::new());
    (
        Sender { frames: sender, bytes: bytes.clone(), max_bytes, overflow: overflow.clone() },
        Receiver { frames: receiver, front: None, bytes, overflow },
    )
}

impl Sender {
    /// Queues a frame; when that is too much, nothing more is queued and the receiver hears of it.
    pub(crate) fn push(&self, queued: Queued) {
        if self.overflow.is_cancelled() {
            return;
        }
        let size = queued.frame.len();
        if self.bytes.fetch_add(size, Ordering::Relaxed) + size > self.max_bytes {
            self.overflow.cancel();
        } else {
            // The receiver may be gone: then nobody misses the frame.
            let _ = self.frames.send(queued);
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
        let queued = match self.front.take() {
            Some(queued) => queued,
            None => tokio::select! {
                biased;
                () = self.overflow.cancelled() => None,
                queued = self.frames.recv() => queued,
            }?,
        };
        Some(self.taken(queued))
    }

    /// The next frame that is there already and is about an event up to `position`.
    pub(crate) fn pop_until(&mut self, position: u64) -> Option<Utf8Bytes> {
        let queued = self.front.take().or_else(|| self.frames.try_recv().ok())?;
        if queued.position > position {
            self.front = Some(queued);
            return None;
        }
        Some(self.taken(queued))
    }

    fn taken(&self, queued: Queued) -> Utf8Bytes {
        self.bytes.fetch_sub(queued.frame.len(), Ordering::Relaxed);
        queued.frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queued(position: u64, text: &str) -> Queued {
        Queued { position, frame: text.into() }
    }

    #[tokio::test]
    async fn bytes_that_were_taken_make_room() {
        let (sender, mut receiver) = queue(10);
        for position in 1..=5 {
            sender.push(queued(position, "1234567890"));
            assert_eq!(receiver.pop().await.as_deref(), Some("1234567890"));
        }
    }

    #[tokio::test]
    async fn too_much_ends_the_queue_instead_of_leaving_a_gap() {
        let (sender, mut receiver) = queue(10);
        for (position, text) in [(1, "123456"), (2, "123456"), (3, "1")] {
            sender.push(queued(position, text));
        }
        assert_eq!(receiver.pop().await, None);
    }

    #[tokio::test]
    async fn what_is_too_new_stays_in_its_place() {
        let (sender, mut receiver) = queue(100);
        for position in 1..=3 {
            sender.push(queued(position, &position.to_string()));
        }
        assert_eq!(receiver.pop_until(1).as_deref(), Some("1"));
        assert_eq!(receiver.pop_until(1), None);
        assert_eq!(receiver.pop().await.as_deref(), Some("2"));
        assert_eq!(receiver.pop_until(3).as_deref(), Some("3"));
        assert_eq!(receiver.pop_until(3), None);
    }
}
