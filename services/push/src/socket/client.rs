use std::{collections::HashMap, time::Duration};

use axum::{
    body::Bytes,
    extract::ws::{Message, Utf8Bytes, WebSocket},
};
use service_kit::auth::Claims;
use time::OffsetDateTime;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{end::End, subscription};
use crate::{
    Push,
    frame::{ClientFrame, ServerFrame},
    hub::ClientId,
    queue::{self, Receiver},
    topic::Topic,
};

/// How often an idle client is asked for a sign of life.
const PING: Duration = Duration::from_secs(30);
/// How long a client may take to read a frame, or to give a sign of life.
const PATIENCE: Duration = Duration::from_secs(75);

/// One connected client.
pub(super) struct Client {
    pub(super) push: Push,
    pub(super) id: ClientId,
    pub(super) queue: Receiver,
    overflow: CancellationToken,
    pub(super) claims: Option<Claims>,
    /// Its topics, each with the position after which it hears of it.
    pub(super) topics: HashMap<Topic, u64>,
}

/// A frame of the client was of no use.
pub(super) struct Complaint {
    pub(super) code: &'static str,
    pub(super) detail: String,
}

impl Client {
    pub(super) fn new(push: Push, claims: Option<Claims>) -> Self {
        let (sender, queue) = queue::queue(push.settings.max_queued_bytes.get());
        let id = push.hub.connect(sender);
        let overflow = queue.overflow();
        Self { push, id, queue, overflow, claims, topics: HashMap::new() }
    }

    /// Serves the client until one side ends it.
    pub(super) async fn serve(mut self, mut socket: WebSocket) {
        let end = self.run(&mut socket).await;
        tracing::debug!(?end, "live socket ended");
        let goodbye = end.tell(&mut socket, self.id.number());
        let _ = tokio::time::timeout(Duration::from_secs(1), goodbye).await;
    }

    async fn run(&mut self, socket: &mut WebSocket) -> End {
        let mut heard = Instant::now();
        let mut ping = tokio::time::interval_at(heard + PING, PING);
        loop {
            let outcome = tokio::select! {
                end = self.ended() => Err(end),
                frame = self.queue.pop() => match frame {
                    Some(frame) => self.send(socket, frame).await,
                    None => Err(End::TooSlow),
                },
                message = socket.recv() => match message {
                    Some(Ok(message)) => {
                        let outcome = self.receive(socket, message).await;
                        // An answer may take long, a replay most of all.
                        heard = Instant::now();
                        outcome
                    }
                    Some(Err(_)) => Err(End::BadMessage),
                    None => Err(End::Gone),
                },
                _ = ping.tick() => if heard.elapsed() < PATIENCE {
                    self.deliver(socket, Message::Ping(Bytes::new())).await
                } else {
                    Err(End::Gone)
                },
            };
            if let Err(end) = outcome {
                return end;
            }
        }
    }

    /// Returns when the server stops or the token ends.
    pub(super) fn ended(&self) -> impl Future<Output = End> + use<> {
        let (stop, left) = (self.push.lifecycle.stop_token().clone(), self.expires_in());
        async move {
            let expiry = async {
                match left {
                    Some(left) => tokio::time::sleep(left).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => End::Stopping,
                () = expiry => End::Expired,
            }
        }
    }

    fn expires_in(&self) -> Option<Duration> {
        let exp = OffsetDateTime::from_unix_timestamp(self.claims.as_ref()?.exp).ok()?;
        Some((exp - OffsetDateTime::now_utc()).try_into().unwrap_or(Duration::ZERO))
    }

    async fn receive(&mut self, socket: &mut WebSocket, message: Message) -> Result<(), End> {
        let text = match message {
            Message::Text(text) => text,
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
            Message::Close(_) => return Err(End::Gone),
            Message::Binary(_) => return Err(End::BadMessage),
        };
        let answered = match serde_json::from_str(&text) {
            Ok(frame) => self.answer(socket, frame).await?,
            Err(error) => Err(Complaint { code: "malformed-frame", detail: error.to_string() }),
        };
        match answered {
            Ok(()) => Ok(()),
            Err(Complaint { code, detail }) => {
                self.send(socket, ServerFrame::Error { code, detail }.text()).await
            }
        }
    }

    async fn answer(
        &mut self,
        socket: &mut WebSocket,
        frame: ClientFrame,
    ) -> Result<Result<(), Complaint>, End> {
        let reply = match frame {
            ClientFrame::Ping => ServerFrame::Pong.text(),
            ClientFrame::Authenticate { token } | ClientFrame::Refresh { token } => {
                match self.authenticate(&token) {
                    Ok(reply) => reply,
                    Err(complaint) => return Ok(Err(complaint)),
                }
            }
            ClientFrame::Unsubscribe { topics } => {
                return match subscription::parse(&topics) {
                    Ok(topics) => self.unsubscribe(socket, &topics).await.map(Ok),
                    Err(complaint) => Ok(Err(complaint)),
                };
            }
            ClientFrame::Subscribe { topics, since } => {
                return match self.allowed(&topics) {
                    Ok(topics) => self.subscribe(socket, topics, since).await.map(Ok),
                    Err(complaint) => Ok(Err(complaint)),
                };
            }
        };
        self.send(socket, reply).await.map(Ok)
    }

    fn authenticate(&mut self, token: &str) -> Result<Utf8Bytes, Complaint> {
        let claims = self
            .push
            .tokens
            .check(token)
            .map_err(|error| Complaint { code: "unauthorized", detail: error.to_string() })?;
        // Topics were granted to the user who is connected; another one needs another connection.
        if self.claims.as_ref().is_some_and(|current| current.sub != claims.sub) {
            let detail = "the token is another user's".to_owned();
            return Err(Complaint { code: "unauthorized", detail });
        }
        let claims = self.claims.insert(claims);
        let (user_id, expires_at) = (claims.sub.as_str(), claims.exp);
        Ok(ServerFrame::Authenticated { user_id, expires_at }.text())
    }

    pub(super) async fn send(&self, socket: &mut WebSocket, frame: Utf8Bytes) -> Result<(), End> {
        self.deliver(socket, Message::Text(frame)).await
    }

    /// A client that does not read must neither hold its task for ever nor fill its queue unnoticed.
    async fn deliver(&self, socket: &mut WebSocket, message: Message) -> Result<(), End> {
        tokio::select! {
            // First of all: behind a gap nothing may be sent, or the client would resume behind it.
            biased;
            () = self.overflow.cancelled() => Err(End::TooSlow),
            end = self.ended() => Err(end),
            sent = tokio::time::timeout(PATIENCE, socket.send(message)) => match sent {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) => Err(End::Gone),
                Err(_) => Err(End::TooSlow),
            },
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.push.hub.disconnect(self.id, self.topics.drain().map(|(topic, _)| topic));
    }
}
