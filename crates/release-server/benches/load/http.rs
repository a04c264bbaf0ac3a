//! A connection that is kept open, with as little in between as possible.

use anyhow::{Context as _, Result};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub(crate) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::with_capacity(16 * 1024) })
    }

    /// Sends a request as it is and returns the status and the body of the answer.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<(u16, &str)> {
        self.stream.write_all(request).await?;
        self.received.clear();
        loop {
            let read = self.stream.read_buf(&mut self.received).await?;
            anyhow::ensure!(read > 0, "the server closed the connection");
            if let Some((status, from)) = complete(&self.received)? {
                return Ok((status, std::str::from_utf8(self.received.get(from..).unwrap_or_default())?));
            }
        }
    }
}

/// The status of an answer that has arrived as a whole, and where its body begins.
fn complete(received: &[u8]) -> Result<Option<(u16, usize)>> {
    let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(received.get(..end).unwrap_or_default())?;
    let status = head.get(9..12).context("no status")?.parse()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let whole = end + 4 + length.context("no content-length")?;
    Ok((received.len() >= whole).then_some((status, end + 4)))
}

/// The bytes of a request.
pub(crate) fn request(method: &str, path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}
