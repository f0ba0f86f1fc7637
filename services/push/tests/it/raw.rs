use test_support::PATIENCE;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// A client that writes its frames by hand, since no library would write these.
pub struct Raw(TcpStream);

/// What the server sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Sent {
    Text(String),
    /// A close, with its code when it had one.
    Close(Option<u16>),
    Other(u8),
    /// The connection was ended in order.
    End,
    /// The connection was reset.
    Reset,
}

impl Raw {
    pub async fn connect(url: &str) -> Self {
        let (mut raw, status) = Self::request(url, "GET", "dGhlIHNhbXBsZSBub25jZQ==").await;
        assert!(status.starts_with("HTTP/1.1 101 "), "{status}");
        raw.0.flush().await.expect("open");
        raw
    }

    /// Sends a handshake; tells the head of the answer.
    pub async fn request(url: &str, method: &str, key: &str) -> (Self, String) {
        Self::request_with(
            url,
            method,
            &format!(
                "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                 Sec-WebSocket-Key: {key}\r\n"
            ),
        )
        .await
    }

    pub async fn request_with(url: &str, method: &str, headers: &str) -> (Self, String) {
        let address = url.trim_start_matches("ws://").trim_end_matches("/ws");
        let mut stream = TcpStream::connect(address).await.expect("connected");
        let request = format!("{method} /ws HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let byte = tokio::time::timeout(PATIENCE, stream.read_u8()).await;
            head.push(byte.expect("in time").expect("an answer"));
        }
        (Self(stream), String::from_utf8(head).expect("text"))
    }

    /// Sends a masked frame whose first byte is `first`: the flags and the opcode.
    pub async fn frame(&mut self, first: u8, payload: &[u8]) {
        self.bytes(&frame(first, payload)).await;
    }

    /// Sends bytes as they are; the server may have ended it meanwhile.
    pub async fn bytes(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes).await;
    }

    /// What comes next.
    pub async fn next(&mut self) -> Sent {
        let next = tokio::time::timeout(PATIENCE, self.read()).await;
        next.expect("the server says something in time").unwrap_or_else(|error| {
            match error.kind() {
                std::io::ErrorKind::UnexpectedEof => Sent::End,
                _ => Sent::Reset,
            }
        })
    }

    /// What the server ends with, whatever it says before.
    pub async fn end(&mut self) -> Sent {
        loop {
            match self.next().await {
                Sent::Text(_) | Sent::Other(_) => {}
                end => return end,
            }
        }
    }

    async fn read(&mut self) -> std::io::Result<Sent> {
        let first = self.0.read_u8().await?;
        let length = match self.0.read_u8().await? {
            126 => usize::from(self.0.read_u16().await?),
            127 => usize::try_from(self.0.read_u64().await?).expect("small"),
            short => usize::from(short),
        };
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).await?;
        Ok(match first {
            0x81 => Sent::Text(String::from_utf8(payload).expect("text")),
            0x88 => Sent::Close(payload.first_chunk().map(|code| u16::from_be_bytes(*code))),
            other => Sent::Other(other),
        })
    }
}

/// A masked frame.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [7, 6, 5, 4];
    let mut bytes = vec![first];
    match u16::try_from(payload.len()) {
        Ok(length) if length < 126 => bytes.push(0x80 | length.to_be_bytes()[1]),
        Ok(length) => {
            bytes.push(0xFE);
            bytes.extend(length.to_be_bytes());
        }
        Err(_) => {
            bytes.push(0xFF);
            bytes.extend((payload.len() as u64).to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}
