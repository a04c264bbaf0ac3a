//! Servers behind an Envoy.

use super::raw::{Message, Wire};
use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    connections: Connections,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    version: String,
    requests: AtomicU64,
    unhealthy: AtomicBool,
    /// Changes only while the connections are locked.
    retired: AtomicBool,
    knocks: AtomicU64,
    /// The ids of the requests that it was told to fail.
    failed: Mutex<HashSet<String>>,
    retries: AtomicU64,
}

/// Not part of what the connections share: they end with it.
type Connections = Arc<Mutex<JoinSet<io::Result<()>>>>;

impl Upstream {
    /// Starts one on a free port.
    pub async fn start(version: &str) -> io::Result<Self> {
        Self::start_at(version, SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// Starts one at that address, for example where another one was before.
    pub async fn start_at(version: &str, address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let shared = Arc::new(Shared {
            version: version.to_owned(),
            requests: AtomicU64::new(0),
            unhealthy: AtomicBool::new(false),
            retired: AtomicBool::new(false),
            knocks: AtomicU64::new(0),
            failed: Mutex::default(),
            retries: AtomicU64::new(0),
        });
        let connections = Connections::default();
        let address = listener.local_addr()?;
        let server = tokio::spawn(serve(listener, shared.clone(), connections.clone()));
        Ok(Self { address, shared, connections, server })
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

    /// How many requests came again although it had been told to fail them: with the same `x-request-id`.
    pub fn retries(&self) -> u64 {
        self.shared.retries.load(Ordering::SeqCst)
    }

    /// Its workloads are stopped: its connections end, and who connects is sent away and counted. Nobody else can have its
    /// address meanwhile.
    pub fn retire(&self) {
        let mut connections = lock(&self.connections);
        self.shared.retired.store(true, Ordering::SeqCst);
        connections.abort_all();
    }

    /// It is there again.
    pub fn revive(&self) {
        let _connections = lock(&self.connections);
        self.shared.retired.store(false, Ordering::SeqCst);
    }

    /// How many wanted something of it while it was retired.
    pub fn knocks(&self) -> u64 {
        self.shared.knocks.load(Ordering::SeqCst)
    }

    /// It dies at once, with all its connections.
    pub fn kill(&self) {
        self.retire();
        self.server.abort();
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.kill();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, shared: Arc<Shared>, connections: Connections) {
    while let Ok((stream, _)) = listener.accept().await {
        let mut connections = lock(&connections);
        if shared.is_retired() {
            continue;
        }
        connections.spawn(serve_connection(stream, shared.clone()));
        while connections.try_join_next().is_some() {}
    }
}

async fn serve_connection(stream: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    let mut wire = Wire::new(stream);
    loop {
        let request = wire.receive().await?;
        // Between the decision and the end of the connection.
        if shared.is_retired() {
            return Ok(());
        }
        let status = answer(&request, &shared).await;
        let (version, length) = (&shared.version, shared.version.len());
        let head = format!("HTTP/1.1 {status}\r\n{VERSION_HEADER}: {version}\r\ncontent-length: {length}\r\n\r\n");
        wire.write((head + version).as_bytes()).await?;
    }
}

impl Shared {
    /// Whether it is retired; whoever asks wanted something of it.
    fn is_retired(&self) -> bool {
        let retired = self.retired.load(Ordering::SeqCst);
        self.knocks.fetch_add(u64::from(retired), Ordering::SeqCst);
        retired
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
    if told_to_fail && let Some(id) = request.header("x-request-id") {
        let first = lock(&shared.failed).insert(id.to_owned());
        shared.retries.fetch_add(u64::from(!first), Ordering::SeqCst);
    }
    let unhealthy = health && shared.unhealthy.load(Ordering::SeqCst);
    if told_to_fail || unhealthy { "503 Service Unavailable" } else { "200 OK" }
}
