//! A connection's bytes: writing has a deadline, and the library's own answers are taken back.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

use super::{
    progress::Progress,
    refusal::{self, OwnAnswer},
};

/// A stream that gives up a client which takes nothing of an answer for `patience`.
///
/// It writes from one buffer only: so each of the library's own answers is the end of what is to be written.
#[derive(Debug)]
pub(super) struct Stream {
    inner: TcpStream,
    progress: Progress,
    patience: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
    own_answer: Option<OwnAnswer>,
}

impl Stream {
    pub(super) fn new(inner: TcpStream, progress: Progress, patience: Duration) -> Self {
        Self { inner, progress, patience, stalled: None, own_answer: None }
    }

    /// The connection itself, and the answer of the library that was not written.
    pub(super) fn into_inner(self) -> (TcpStream, Option<OwnAnswer>) {
        (self.inner, self.own_answer)
    }

    /// What `poll` says, or that it has been pending for too long.
    fn within_patience<T>(
        &mut self,
        context: &mut Context<'_>,
        poll: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if poll.is_ready() || self.progress.is_upgraded() {
            self.stalled = None;
            return poll;
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(self.patience)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        if buffer.filled().len() > before {
            self.progress.received();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut ours = bytes;
        if !self.progress.is_upgraded()
            && let Some((start, answer)) = refusal::own_answer(bytes)
        {
            if start == 0 {
                self.own_answer = Some(answer);
                return Poll::Ready(Ok(bytes.len()));
            }
            // It stands behind an answer of ours that is still to be written.
            ours = &bytes[..start];
        }
        let written = Pin::new(&mut self.inner).poll_write(context, ours);
        self.within_patience(context, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(context);
        if matches!(flushed, Poll::Ready(Ok(()))) {
            self.progress.flushed();
        }
        self.within_patience(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // An answer of ours is to be sent yet.
        if self.own_answer.is_some() {
            return Poll::Ready(Ok(()));
        }
        let shut = Pin::new(&mut self.inner).poll_shutdown(context);
        self.within_patience(context, shut)
    }
}
