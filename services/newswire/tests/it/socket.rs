use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use test_support::PATIENCE;
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

use crate::app::App;

/// A client of the live socket.
pub struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub async fn connect(app: &App) -> Self {
        Self::connect_to(app.http).await
    }

    pub async fn connect_to(port: u16) -> Self {
        let url = format!("ws://127.0.0.1:{port}/ws");
        Self(connect_async(url).await.expect("connected").0)
    }

    pub async fn subscribe(&mut self, topics: &Value, since: Option<u64>) {
        let frame = json!({ "type": "subscribe", "topics": topics, "since": since });
        self.0.send(Message::text(frame.to_string())).await.expect("sent");
        assert_eq!(self.event().await["type"], "subscribed");
    }

    /// Subscribes to all articles behind a position of `stream`; tells the answer.
    pub async fn subscribe_behind(&mut self, since: u64, stream: &str) -> Value {
        let topics = ["articles"];
        let frame =
            json!({ "type": "subscribe", "topics": topics, "since": since, "stream": stream });
        self.0.send(Message::text(frame.to_string())).await.expect("sent");
        self.event().await
    }

    /// The next event; `None` when the connection is gone.
    pub async fn next_event(&mut self) -> Option<Value> {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.0.next()).await.expect("in time");
            match next {
                Some(Ok(Message::Text(text))) => {
                    let frame: Value = serde_json::from_str(&text).expect("JSON");
                    if frame["position"].is_u64() && frame["data"].is_object() {
                        return Some(frame);
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// Connects and subscribes to all articles behind `since`; `None` while nobody listens.
    pub async fn resume(port: u16, since: u64) -> Option<Self> {
        let (socket, _) = connect_async(format!("ws://127.0.0.1:{port}/ws")).await.ok()?;
        let mut socket = Self(socket);
        let frame = json!({ "type": "subscribe", "topics": ["articles"], "since": since });
        socket.0.send(Message::text(frame.to_string())).await.ok()?;
        Some(socket)
    }

    /// How the server ended the connection: the code and the reason of its close, whatever came before it.
    pub async fn end(&mut self) -> String {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.0.next()).await.expect("in time");
            if let Message::Close(close) = next.expect("open").expect("a message") {
                let close = close.expect("a code");
                return format!("{} {}", u16::from(close.code), close.reason);
            }
        }
    }

    /// The next frame.
    pub async fn event(&mut self) -> Value {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.0.next()).await.expect("in time");
            if let Message::Text(text) = next.expect("open").expect("a message") {
                return serde_json::from_str(&text).expect("JSON");
            }
        }
    }
}
