//! HTTP/1.1 by the byte, for requests that no well-behaved client would send.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A connection on which requests are sent as they are, one after the other.
#[derive(Debug)]
pub struct RawClient(Wire);

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawResponse {
    /// Its status.
    pub status: u16,
    /// Names in lower case, and values, in order.
    pub headers: Vec<(String, String)>,
    /// Its body, no longer in chunks.
    pub body: Vec<u8>,
}

/// No test has an answer that takes as long.
const LIMIT: Duration = Duration::from_mins(1);

impl RawClient {
    /// Connects.
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        Ok(Self(Wire::new(TcpStream::connect(address).await?)))
    }

    /// Sends a request, which must be complete, and waits for the answer.
    pub async fn send(&mut self, request: &[u8]) -> io::Result<RawResponse> {
        timeout(LIMIT, self.exchange(request)).await?
    }

    async fn exchange(&mut self, request: &[u8]) -> io::Result<RawResponse> {
        self.0.write(request).await?;
        let Message { first, headers, body } = self.0.receive().await?;
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(|| malformed(&first))?;
        Ok(RawResponse { status, headers, body })
    }
}

impl RawResponse {
    /// The first header of that name, which is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

/// A connection that speaks HTTP/1.1, from either side.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    /// What was read and belongs to nothing yet.
    read: Vec<u8>,
}

/// A request or an answer.
pub(super) struct Message {
    /// Its first line.
    pub(super) first: String,
    /// Names in lower case, and values, in order.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Message {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

impl Wire {
    pub(super) fn new(stream: TcpStream) -> Self {
        // Without it, small messages wait for each other.
        let _ = stream.set_nodelay(true);
        Self { stream, read: Vec::new() }
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    pub(super) async fn receive(&mut self) -> io::Result<Message> {
        let head = self.until(b"\r\n\r\n").await?;
        let head = String::from_utf8_lossy(&head).into_owned();
        let mut lines = head.lines();
        let first = lines.next().unwrap_or_default().to_owned();
        let pairs = lines.filter_map(|line| line.split_once(':'));
        let headers: Vec<_> = pairs.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
        let body = if header(&headers, "transfer-encoding") == Some("chunked") {
            self.chunks().await?
        } else {
            let length = header(&headers, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            self.exactly(length).await?
        };
        Ok(Message { first, headers, body })
    }

    /// Waits until the other side says no more.
    pub(super) async fn gone(&mut self) {
        while self.more().await.is_ok() {}
    }

    async fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.until(b"\r\n").await?;
            let line = String::from_utf8_lossy(&line).into_owned();
            let length = usize::from_str_radix(line.trim(), 16).map_err(|_| malformed(&line))?;
            body.extend(self.exactly(length).await?);
            self.exactly(2).await?;
            if length == 0 {
                return Ok(body);
            }
        }
    }

    async fn until(&mut self, end: &[u8]) -> io::Result<Vec<u8>> {
        loop {
            if let Some(at) = self.read.windows(end.len()).position(|bytes| bytes == end) {
                return self.exactly(at + end.len()).await;
            }
            self.more().await?;
        }
    }

    async fn exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.read.len() < length {
            self.more().await?;
        }
        Ok(self.read.drain(..length).collect())
    }

    async fn more(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.read).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
}

fn malformed(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("this is no HTTP/1.1: {text:?}"))
}
