//! A client that costs next to nothing: what is measured shares the processor with it.

use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, bail};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Sends the same request again and again over connections that stay open.
pub struct Repeater {
    address: String,
    request: Vec<u8>,
    idle: Mutex<Vec<TcpStream>>,
}

impl Repeater {
    /// A client that posts `body` to `path` at `address` with `token`.
    pub fn post(address: &str, path: &str, token: &str, body: &str) -> Self {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        Self::new(address, request)
    }

    /// A client that gets `path` at `address`.
    pub fn get(address: &str, path: &str) -> Self {
        Self::new(address, format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n"))
    }

    fn new(address: &str, request: String) -> Self {
        Self { address: address.to_owned(), request: request.into_bytes(), idle: Mutex::default() }
    }

    /// Sends it once; the answer must be `status`.
    pub async fn send(&self, status: u16) -> anyhow::Result<()> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut stream = if let Some(stream) = idle {
            stream
        } else {
            let stream = TcpStream::connect(&self.address).await.context("connecting failed")?;
            stream.set_nodelay(true)?;
            stream
        };
        stream.write_all(&self.request).await?;
        let head = read_response(&mut stream).await?;
        if !head.starts_with(&format!("HTTP/1.1 {status} ")) {
            bail!("the server answered {}", head.lines().next().unwrap_or_default());
        }
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(stream);
        Ok(())
    }
}

/// Reads a whole response; gives its head.
async fn read_response(stream: &mut TcpStream) -> anyhow::Result<String> {
    let mut bytes = Vec::with_capacity(4096);
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            bail!("the server closed the connection");
        }
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let length: usize = head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .context("a response without content-length")?
            .1
            .parse()?;
        while bytes.len() < end + 4 + length {
            if stream.read_buf(&mut bytes).await? == 0 {
                bail!("the server closed the connection");
            }
        }
        return Ok(head);
    }
}
