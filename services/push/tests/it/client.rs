use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use test_support::PATIENCE;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest as _, protocol::CloseFrame},
};

/// A client of the live socket.
pub struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// What comes next.
#[derive(Debug, PartialEq)]
pub enum Next {
    Frame(Value),
    Closed(u16),
    ClosedWithoutCode,
    /// The connection was ended behind a closing handshake.
    Ended,
    Vanished,
}

impl Client {
    /// Connects; the status when the server does not want it.
    pub async fn connect(url: &str, token: Option<&str>) -> Result<Self, u16> {
        let mut request = url.into_client_request().expect("a URL");
        if let Some(token) = token {
            let value = format!("Bearer {token}").parse().expect("a header");
            request.headers_mut().insert("authorization", value);
        }
        match connect_async(request).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("connecting failed: {error}"),
        }
    }

    pub async fn send(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.expect("sent");
    }

    /// Begins the closing handshake.
    pub async fn close(&mut self, code: Option<u16>) {
        let close = code.map(|code| CloseFrame { code: code.into(), reason: "enough".into() });
        self.0.send(Message::Close(close)).await.expect("sent");
    }

    /// What the server ends with, whatever it says before.
    pub async fn end(&mut self) -> Next {
        loop {
            match self.next().await {
                Next::Frame(_) => {}
                end => return end,
            }
        }
    }

    /// The refusal of a handshake: its status, its problem, whether it says when to come back.
    pub async fn refused(url: &str) -> (u16, Value, bool) {
        let Err(Error::Http(response)) = connect_async(url).await else { panic!("connected") };
        let body = response.body().as_deref().unwrap_or_default();
        let problem = serde_json::from_slice(body).expect("a problem");
        (response.status().as_u16(), problem, response.headers().contains_key("retry-after"))
    }

    /// What comes next, pings aside.
    pub async fn next(&mut self) -> Next {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.0.next()).await;
            match message.expect("the server says something in time") {
                Some(Ok(Message::Text(text))) => {
                    return Next::Frame(serde_json::from_str(&text).expect("JSON"));
                }
                Some(Ok(Message::Close(Some(close)))) => return Next::Closed(close.code.into()),
                Some(Ok(Message::Close(None))) => return Next::ClosedWithoutCode,
                Some(Ok(_)) => {}
                Some(Err(_)) => return Next::Vanished,
                None => return Next::Ended,
            }
        }
    }

    /// The next frame.
    pub async fn frame(&mut self) -> Value {
        match self.next().await {
            Next::Frame(frame) => frame,
            end => panic!("a frame was expected: {end:?}"),
        }
    }

    /// The next `count` events.
    pub async fn events(&mut self, count: usize) -> Vec<Value> {
        let mut events = Vec::new();
        while events.len() < count {
            let frame = self.frame().await;
            assert!(frame["position"].is_u64() && frame["data"].is_object(), "{frame}");
            events.push(frame);
        }
        events
    }

    /// Subscribes and returns the answer.
    pub async fn subscribe(&mut self, topics: Value, since: Option<u64>) -> Value {
        let frame = json!({ "type": "subscribe", "topics": topics, "since": since });
        self.send(&frame.to_string()).await;
        let answer = self.frame().await;
        assert_eq!(answer["type"], "subscribed", "{answer}");
        answer
    }
}
