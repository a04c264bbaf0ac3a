//! Servers behind an Envoy.

use super::raw::{Message, Wire};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

/// The header of an answer that says which version gave it.
pub const VERSION_HEADER: &str = "x-version";

/// One version of a service: a server that answers every request with its version, in the body and in a header.
///
/// A request can ask it for more: `x-test-delay-ms: 500` for an answer after that long, `x-test-fail: v1` for a 503 of that
/// version, `/health` for its health.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    version: String,
    requests: AtomicU64,
    unhealthy: AtomicBool,
}

impl Upstream {
    /// Starts one on a free port.
    pub async fn start(version: &str) -> io::Result<Self> {
        Self::start_at(version, SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// Starts one at that address, for example where another one was before.
    pub async fn start_at(version: &str, address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let shared =
            Shared { version: version.to_owned(), requests: AtomicU64::new(0), unhealthy: AtomicBool::new(false) };
        let shared = Arc::new(shared);
        let (address, server) = (listener.local_addr()?, tokio::spawn(serve(listener, shared.clone())));
        Ok(Self { address, shared, server })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many requests have reached it so far, questions for its health apart.
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// Whether `/health` answers 200 (as at first) or 503.
    pub fn set_healthy(&self, healthy: bool) {
        self.shared.unhealthy.store(!healthy, Ordering::SeqCst);
    }

    /// It dies at once, with all its connections.
    pub fn kill(&self) {
        self.server.abort();
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    // Aborted together with this task.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve_connection(stream, shared.clone()));
        while connections.try_join_next().is_some() {}
    }
}

async fn serve_connection(stream: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    let mut wire = Wire::new(stream);
    loop {
        let request = wire.receive().await?;
        let status = answer(&request, &shared).await;
        let (version, length) = (&shared.version, shared.version.len());
        let head = format!("HTTP/1.1 {status}\r\n{VERSION_HEADER}: {version}\r\ncontent-length: {length}\r\n\r\n");
        wire.write((head + version).as_bytes()).await?;
    }
}

async fn answer(request: &Message, shared: &Shared) -> &'static str {
    let path = request.first.split(' ').nth(1).unwrap_or_default();
    let health = path.split('?').next() == Some("/health");
    if !health {
        shared.requests.fetch_add(1, Ordering::SeqCst);
    }
    if let Some(delay) = request.header("x-test-delay-ms").and_then(|delay| delay.parse().ok()) {
        sleep(Duration::from_millis(delay)).await;
    }
    let told_to_fail = request.header("x-test-fail") == Some(&shared.version);
    let unhealthy = health && shared.unhealthy.load(Ordering::SeqCst);
    if told_to_fail || unhealthy { "503 Service Unavailable" } else { "200 OK" }
}
