//! Load through an Envoy.

use super::VERSION_HEADER;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval_at, timeout};

/// An open loop: requests are sent at their times, whether or not earlier ones were answered, so a proxy that stalls is seen
/// to stall.
#[derive(Clone, Debug)]
pub struct Load {
    /// Where to send them.
    pub address: SocketAddr,
    /// What to speak.
    pub protocol: Protocol,
    /// How many a second.
    pub rate: u32,
    /// The host to ask for.
    pub host: String,
    /// More headers of each request.
    pub headers: Vec<(String, String)>,
}

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1 with as many connections as are needed.
    Http1,
    /// HTTP/2 over four connections.
    Http2,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How it was sent.
    pub protocol: Protocol,
    /// When it was due.
    pub due: Instant,
    /// When it was sent: not before then. A client that stalls sends late.
    pub sent: Instant,
    /// When it was answered or had failed.
    pub done: Instant,
    /// The version that answered 200, or what happened instead.
    pub answer: Result<String, String>,
}

/// Load that is going on; it ends when it is dropped.
#[derive(Debug)]
pub struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<Vec<Outcome>>,
}

/// A request that takes as long has failed.
const LIMIT: Duration = Duration::from_secs(30);

impl Load {
    /// Starts to send.
    pub fn start(self) -> Running {
        let (stop, stopped) = watch::channel(false);
        Running { stop, task: tokio::spawn(self.run(tokio::time::Instant::now(), stopped)) }
    }

    async fn run(self, since: tokio::time::Instant, mut stopped: watch::Receiver<bool>) -> Vec<Outcome> {
        let mut ticks = interval_at(since, Duration::from_secs(1) / self.rate.max(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let pool = Arc::new(Pool::new(self.address, self.protocol));
        let load = Arc::new(self);
        let mut requests = JoinSet::new();
        // One at least, however soon it is stopped.
        requests.spawn(one(load.clone(), pool.clone(), ticks.tick().await.into_std()));
        let mut outcomes = Vec::new();
        loop {
            tokio::select! {
                due = ticks.tick() => { requests.spawn(one(load.clone(), pool.clone(), due.into_std())); }
                _ = stopped.wait_for(|stop| *stop) => break,
                Some(outcome) = requests.join_next() => outcomes.extend(or_panic(outcome)),
            }
        }
        // What was due is sent, also by a client that was not scheduled for a while.
        let end = tokio::time::Instant::now();
        while let Ok(due) = timeout(Duration::ZERO, ticks.tick()).await
            && due <= end
        {
            requests.spawn(one(load.clone(), pool.clone(), due.into_std()));
        }
        while let Some(outcome) = requests.join_next().await {
            outcomes.extend(or_panic(outcome));
        }
        outcomes
    }
}

impl Running {
    /// Sends no more.
    pub fn halt(&self) {
        self.stop.send_replace(true);
    }

    /// Sends no more, waits for the answers, and says what came of all. It panics if what sends has panicked: load that is
    /// missing would show nothing.
    pub async fn stop(self) -> Vec<Outcome> {
        self.halt();
        or_panic(self.task.await).unwrap_or_default()
    }
}

/// What a task returned; `None` only if it was aborted.
fn or_panic<T>(ended: Result<T, JoinError>) -> Option<T> {
    match ended.map_err(JoinError::try_into_panic) {
        Ok(value) => Some(value),
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        Err(Err(_)) => None,
    }
}

async fn one(load: Arc<Load>, pool: Arc<Pool>, due: Instant) -> Outcome {
    let mut sent = Instant::now();
    let answer = match timeout(LIMIT, ask(&load, &pool, &mut sent)).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("no answer within {LIMIT:?}")),
    };
    Outcome { protocol: load.protocol, due, sent, done: Instant::now(), answer }
}

async fn ask(load: &Load, pool: &Pool, sent: &mut Instant) -> Result<String, String> {
    let uri = match load.protocol {
        Protocol::Http1 => "/".to_owned(),
        Protocol::Http2 => format!("http://{}/", load.host),
    };
    let build = || {
        *sent = Instant::now();
        let mut request = Request::get(&uri);
        if load.protocol == Protocol::Http1 {
            request = request.header("host", &load.host);
        }
        let request = load.headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        request.body(Empty::new()).map_err(|error| error.to_string())
    };
    let (head, body) = pool.send(build).await?;
    let version = head.headers.get(VERSION_HEADER).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
    match (head.status, version) {
        (StatusCode::OK, Some(version)) => Ok(version),
        (status, _) => Err(format!("{status} {}", String::from_utf8_lossy(&body))),
    }
}

/// Connections to one address.
struct Pool {
    address: SocketAddr,
    protocol: Protocol,
    idle: Mutex<Vec<http1::SendRequest<Empty<Bytes>>>>,
    shared: [tokio::sync::Mutex<Option<http2::SendRequest<Empty<Bytes>>>>; 4],
    next: AtomicUsize,
}

impl Pool {
    fn new(address: SocketAddr, protocol: Protocol) -> Self {
        Self { address, protocol, idle: Mutex::default(), shared: Default::default(), next: 0.into() }
    }

    /// Sends a request; anew if its connection was gone before anything of it was sent.
    async fn send(&self, mut build: impl FnMut() -> Result<Request<Empty<Bytes>>, String>) -> Result<Answer, String> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let sent = match self.protocol {
                Protocol::Http1 => self.send_http1(build()?).await,
                Protocol::Http2 => self.send_http2(build()?).await,
            };
            match sent {
                Err(Failure { unsent: true, .. }) if attempts < 3 => {}
                Err(failure) => return Err(failure.text),
                Ok(answer) => return Ok(answer),
            }
        }
    }

    async fn send_http1(&self, request: Request<Empty<Bytes>>) -> Result<Answer, Failure> {
        let pooled = self.idle().pop();
        let mut sender = if let Some(sender) = pooled {
            sender
        } else {
            let handshake = http1::handshake(self.connect().await?).await;
            let (sender, connection) = handshake.map_err(|error| failure("handshake", &error))?;
            tokio::spawn(connection);
            sender
        };
        sender.ready().await.map_err(|error| Failure { unsent: true, ..failure("connection", &error) })?;
        let answer = read(sender.send_request(request).await).await?;
        self.idle().push(sender);
        Ok(answer)
    }

    async fn send_http2(&self, request: Request<Empty<Bytes>>) -> Result<Answer, Failure> {
        let at = self.next.fetch_add(1, Ordering::Relaxed);
        let Some(shared) = self.shared.iter().cycle().nth(at % self.shared.len()) else {
            return Err(Failure::default());
        };
        let mut shared = shared.lock().await;
        let open = shared.as_ref().filter(|sender| !sender.is_closed()).cloned();
        let mut sender = if let Some(sender) = open {
            sender
        } else {
            let handshake = http2::handshake(TokioExecutor::new(), self.connect().await?).await;
            let (sender, connection) = handshake.map_err(|error| failure("handshake", &error))?;
            tokio::spawn(connection);
            shared.insert(sender).clone()
        };
        drop(shared);
        read(sender.send_request(request).await).await
    }

    fn idle(&self) -> MutexGuard<'_, Vec<http1::SendRequest<Empty<Bytes>>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(&self) -> Result<TokioIo<TcpStream>, Failure> {
        let stream = TcpStream::connect(self.address).await;
        let stream = stream.map_err(|error| Failure { text: describe("connect", &error), unsent: false })?;
        let _ = stream.set_nodelay(true);
        Ok(TokioIo::new(stream))
    }
}

type Answer = (http::response::Parts, Bytes);

async fn read(response: hyper::Result<http::Response<Incoming>>) -> Result<Answer, Failure> {
    let (head, body) = response.map_err(|error| failure("request", &error))?.into_parts();
    let body = body.collect().await.map_err(|error| Failure { unsent: false, ..failure("body", &error) })?;
    Ok((head, body.to_bytes()))
}

#[derive(Default)]
struct Failure {
    text: String,
    /// Nothing of the request was sent.
    unsent: bool,
}

fn failure(what: &str, error: &hyper::Error) -> Failure {
    Failure { text: describe(what, error), unsent: error.is_canceled() }
}

fn describe(what: &str, error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(format!("{what}: {error}"), |text, cause| format!("{text}: {cause}"))
}
