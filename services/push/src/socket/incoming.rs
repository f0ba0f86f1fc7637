//! What arrives from a client: a message has a deadline, and what strangers leave unfinished has a sum.
//!
//! The library holds what it has of a message until the message is whole. So the bytes are watched on their way to it.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Sleep,
};

use super::{BUFFER, MAX_MESSAGE, frames::Frames};

/// A message up to here costs no more than the buffers that each connection has anyway, and is not counted.
const FREE: usize = BUFFER;

/// The server reads no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    /// The message is too long on its way.
    #[error("the message took too long to arrive")]
    MessageTimeout,
    /// Strangers have left as much unfinished as there is room for.
    #[error("there is no room for another unfinished message")]
    NoRoom,
}

/// The room for large messages of clients that nobody knows, all together. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Room {
    bytes: Arc<Semaphore>,
    /// Shared by the halves of one connection.
    anonymous: Arc<AtomicBool>,
}

impl Room {
    /// A client's share of `bytes`; it needs none unless it is `anonymous`.
    pub(super) fn new(bytes: Arc<Semaphore>, anonymous: bool) -> Self {
        Self { bytes, anonymous: Arc::new(AtomicBool::new(anonymous)) }
    }

    /// The client has authenticated.
    pub(super) fn is_known(&self) {
        self.anonymous.store(false, Ordering::Relaxed);
    }

    /// Room for `more` bytes of a message of `size`, as long as what is returned is held; `None` when it needs none.
    pub(super) fn take(
        &self,
        size: usize,
        more: usize,
    ) -> Result<Option<OwnedSemaphorePermit>, Refused> {
        if size <= FREE || more == 0 || !self.anonymous.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let more = u32::try_from(more).map_err(|_| Refused::NoRoom)?;
        let taken = self.bytes.clone().try_acquire_many_owned(more);
        taken.map(Some).map_err(|_| Refused::NoRoom)
    }
}

/// A connection whose incoming bytes are watched.
#[derive(Debug)]
pub(super) struct Incoming<S> {
    inner: S,
    frames: Frames,
    timeout: Duration,
    /// While a message is on its way.
    deadline: Option<Pin<Box<Sleep>>>,
    room: Room,
    taken: Option<OwnedSemaphorePermit>,
}

impl<S> Incoming<S> {
    pub(super) fn new(inner: S, timeout: Duration, room: Room) -> Self {
        Self { inner, frames: Frames::default(), timeout, deadline: None, room, taken: None }
    }

    /// The connection, unwatched.
    pub(super) fn into_inner(self) -> S {
        self.inner
    }

    fn watch(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        self.frames.advance(bytes);
        if !self.frames.unfinished() {
            (self.deadline, self.taken) = (None, None);
            return Ok(());
        }
        let timeout = self.timeout;
        self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        // What is too large is refused by the library.
        let size = usize::try_from(self.frames.message_bytes()).unwrap_or(usize::MAX);
        if size > MAX_MESSAGE {
            return Ok(());
        }
        let taken = self.taken.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        if let Some(more) = self.room.take(size, size.saturating_sub(taken))? {
            match &mut self.taken {
                Some(taken) => taken.merge(more),
                taken => *taken = Some(more),
            }
        }
        Ok(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Incoming<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        if let Poll::Ready(read) = Pin::new(&mut self.inner).poll_read(cx, buf) {
            read?;
            return Poll::Ready(self.watch(&buf.filled()[before..]).map_err(io::Error::other));
        }
        // Only now: while nobody reads, a message may lie here and wait.
        let Some(deadline) = &mut self.deadline else { return Poll::Pending };
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::other(Refused::MessageTimeout)))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Incoming<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
