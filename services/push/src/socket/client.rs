use std::{collections::HashMap, time::Duration};

use contracts::Topic;
use eventsourcing::StreamIdentity;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_util::sync::CancellationToken;

use super::{
    connection::{self, Outgoing, Received, Socket},
    end::End,
    incoming::Room,
    subscription,
    user::User,
};
use crate::{
    Push,
    frame::{ClientFrame, ServerFrame},
    hub::ClientId,
    metrics,
    places::Place,
    queue::{self, Receiver},
};

/// How long a client may take to read a frame.
const PATIENCE: Duration = Duration::from_secs(75);

/// One connected client.
pub(super) struct Client {
    pub(super) push: Push,
    pub(super) id: ClientId,
    pub(super) queue: Receiver,
    overflow: CancellationToken,
    pub(super) user: Option<User>,
    place: Place,
    room: Room,
    /// Its topics, each with the position after which it hears of it.
    pub(super) topics: HashMap<Topic, u64>,
    /// The stream that those positions are of.
    pub(super) stream: StreamIdentity,
}

/// A frame of the client was of no use.
pub(super) struct Complaint {
    pub(super) code: &'static str,
    pub(super) detail: String,
}

impl Client {
    pub(super) fn new(push: Push, user: Option<User>, place: Place, room: Room) -> Self {
        let (sender, queue) = queue::queue(push.settings.max_queued_bytes.get());
        let stream = push.hub.stream();
        let id = push.hub.connect(sender);
        let overflow = queue.overflow();
        Self { push, id, queue, overflow, user, place, room, topics: HashMap::new(), stream }
    }

    /// Serves the client until one side ends it.
    pub(super) async fn serve(mut self, socket: Socket) {
        let room = self.room.clone();
        let answer = async |outgoing: &Outgoing, inbox| self.run(outgoing, inbox).await;
        let (end, socket) = connection::serve(socket, &room, answer).await;
        tracing::debug!(?end, "live socket ended");
        // Nothing more is queued while both sides say goodbye; its place is taken until they have.
        self.leave();
        metrics::ended(end.name());
        if let Some(socket) = socket {
            end.tell(socket, self.id.number()).await;
        }
    }

    async fn run(&mut self, outgoing: &Outgoing, mut inbox: mpsc::Receiver<Received>) -> End {
        loop {
            let outcome = tokio::select! {
                end = self.ended() => Err(end),
                frame = self.queue.pop() => match frame {
                    Some(frame) => self.send(outgoing, frame).await,
                    None => Err(End::TooSlow),
                },
                message = inbox.recv() => match message {
                    Some(message) => self.receive(outgoing, &message.text).await,
                    None => Err(End::Gone),
                },
            };
            if let Err(end) = outcome {
                return end;
            }
        }
    }

    /// Returns when the server stops or the token ends.
    pub(super) fn ended(&self) -> impl Future<Output = End> + use<> {
        let (stop, left) = (
            self.push.lifecycle.stop_token().clone(),
            self.user.as_ref().and_then(User::expires_in),
        );
        let replaced = self.push.hub.replaced(self.stream);
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
                () = replaced => End::Replaced,
            }
        }
    }

    async fn receive(&mut self, socket: &Outgoing, text: &str) -> Result<(), End> {
        let answered = match ClientFrame::read(text) {
            Ok(frame) => self.answer(socket, frame).await?,
            Err(detail) => Err(Complaint { code: "malformed-frame", detail }),
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
        socket: &Outgoing,
        frame: ClientFrame,
    ) -> Result<Result<(), Complaint>, End> {
        let reply = match frame {
            ClientFrame::Ping {} => ServerFrame::Pong.text(),
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
            ClientFrame::Subscribe { topics, since, stream } => {
                return match self.allowed(&topics) {
                    Ok(topics) => {
                        self.subscribe(socket, topics, since, stream.as_deref()).await.map(Ok)
                    }
                    Err(complaint) => Ok(Err(complaint)),
                };
            }
        };
        self.send(socket, reply).await.map(Ok)
    }

    fn authenticate(&mut self, token: &str) -> Result<Utf8Bytes, Complaint> {
        let unauthorized = |detail| Complaint { code: "unauthorized", detail };
        let claims = self.push.tokens.check(token);
        let claims = claims.map_err(|error| unauthorized(error.to_string()))?;
        let user = User::of(&claims).map_err(|error| unauthorized(error.to_string()))?;
        // Topics were granted to the user who is connected; another one needs another connection.
        if self.user.as_ref().is_some_and(|current| current.id != user.id) {
            return Err(unauthorized("the token is another user's".to_owned()));
        }
        self.place.is_known();
        self.room.is_known();
        let user = self.user.insert(user);
        let (user_id, expires_at) = (user.id.as_str(), user.expires_at);
        Ok(ServerFrame::Authenticated { user_id, expires_at }.text())
    }

    /// The hub forgets the client; a second time does nothing.
    fn leave(&mut self) {
        self.push.hub.disconnect(self.id, self.topics.drain().map(|(topic, _)| topic));
    }

    pub(super) async fn send(&self, socket: &Outgoing, frame: Utf8Bytes) -> Result<(), End> {
        self.deliver(socket, Message::Text(frame)).await
    }

    /// A client that does not read must neither hold its task for ever nor fill its queue unnoticed.
    async fn deliver(&self, socket: &Outgoing, message: Message) -> Result<(), End> {
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
        self.leave();
    }
}
