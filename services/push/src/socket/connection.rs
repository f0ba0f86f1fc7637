//! A connection while it lasts: one side reads, one writes, neither waits for the other.

use std::time::Duration;

use axum::body::Bytes;
use futures_util::{
    SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::sync::{Mutex, OwnedSemaphorePermit, mpsc};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Error, Message, Utf8Bytes},
};

use super::{
    end::End,
    incoming::{Incoming, Room},
};

/// How often a client is asked for a sign of life.
const PING: Duration = Duration::from_secs(30);
/// How long a client may take to give a sign of life.
const PATIENCE: Duration = Duration::from_secs(75);
/// Messages that wait for those before them to be answered; behind them nothing is read.
const INBOX: usize = 8;

/// One WebSocket.
pub(super) type Socket = WebSocketStream<Incoming<TokioIo<Upgraded>>>;

/// A message that is to be answered.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) text: Utf8Bytes,
    /// A stranger's large message needs room until it is answered.
    _room: Option<OwnedSemaphorePermit>,
}

/// The side that writes. Shared by what answers and what asks for a sign of life.
#[derive(Debug)]
pub(super) struct Outgoing(Mutex<SplitSink<Socket, Message>>);

impl Outgoing {
    pub(super) async fn send(&self, message: Message) -> Result<(), Error> {
        self.0.lock().await.send(message).await
    }

    /// Asks for signs of life, for ever.
    async fn ping(&self) -> End {
        let mut ticks = tokio::time::interval(PING);
        ticks.tick().await;
        loop {
            ticks.tick().await;
            if self.send(Message::Ping(Bytes::new())).await.is_err() {
                return End::Gone;
            }
        }
    }
}

/// Lets `answer` work on what is read, until one side ends it. Returns the socket, to say goodbye through.
///
/// Reading never waits for an answer that is being written, so that a client that closes, breaks the protocol or vanishes
/// is noticed in the middle of a replay too.
pub(super) async fn serve(
    socket: Socket,
    room: &Room,
    answer: impl AsyncFnOnce(&Outgoing, mpsc::Receiver<Received>) -> End,
) -> (End, Option<Socket>) {
    let (sink, mut stream) = socket.split();
    let outgoing = Outgoing(Mutex::new(sink));
    let (inbox, received) = mpsc::channel(INBOX);
    let end = tokio::select! {
        // A close by the client comes before whatever else happens at the same time.
        biased;
        end = read(&mut stream, inbox, room) => end,
        end = answer(&outgoing, received) => end,
        end = outgoing.ping() => end,
    };
    // The two are halves of one.
    (end, outgoing.0.into_inner().reunite(stream).ok())
}

async fn read(stream: &mut SplitStream<Socket>, inbox: mpsc::Sender<Received>, room: &Room) -> End {
    loop {
        let message = match tokio::time::timeout(PATIENCE, stream.next()).await {
            Ok(Some(Ok(message))) => message,
            Ok(Some(Err(error))) => return End::of(&error),
            Ok(None) | Err(_) => return End::Gone,
        };
        let text = match message {
            Message::Text(text) => text,
            Message::Close(_) => return End::Closed,
            Message::Binary(_) => return End::NotText,
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
        };
        let Ok(room) = room.take(text.len(), text.len()) else { return End::Busy };
        if inbox.send(Received { text, _room: room }).await.is_err() {
            // Whoever answers has ended, and tells why.
            std::future::pending::<()>().await;
        }
    }
}
