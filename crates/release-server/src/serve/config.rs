//! What a server is made of, once everything about it has been checked.

use super::exchange;
use http::HeaderValue;
use http::request::Parts;
use release_core::Mode;
use release_http::{AkSk, Authenticate, Caller, Codes, Denied, Tokens, Unauthenticated};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::Semaphore;

/// What a server is made of.
#[derive(Debug)]
pub struct Config {
    /// Where tasks are kept.
    pub store: StoreConfig,
    /// What carries out their steps.
    pub mesh: MeshConfig,
    /// The rest.
    pub options: Options,
}

/// Where tasks are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreConfig {
    /// Nowhere: they are gone with the process.
    Memory,
    /// In the file `releases.redb` of this directory, which is made if there is none.
    Redb(PathBuf),
}

/// What carries out the steps of tasks.
#[derive(Clone, Debug)]
pub enum MeshConfig {
    /// A mesh that exists in this process only.
    Simulated {
        /// How long each step takes.
        lag: Duration,
        /// Where to take requests and route them as the simulated proxies would, if anywhere.
        listen: Option<SocketAddr>,
    },
    /// The Envoys that connect.
    Envoy(release_xds::Config),
}

/// What does not depend on the store and the mesh.
#[derive(Debug)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Who is let in.
    pub authentication: Authentication,
    /// Whether a delete performs the takeover, or asks for it to be done before.
    pub takeover: Mode,
    /// How long a delete may wait for its end.
    pub wait: Duration,
    /// The generation of error codes.
    pub codes: Codes,
    /// Bounds on what clients may ask for.
    pub limits: Limits,
    /// How long a shutdown may take.
    pub shutdown_limit: Duration,
}

/// A free port of 127.0.0.1, everybody is let in, and what the command line takes when it is told nothing.
impl Default for Options {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            authentication: Authentication::Off,
            takeover: Mode::Perform,
            wait: Duration::from_secs(30),
            codes: Codes::Newer,
            limits: Limits::default(),
            shutdown_limit: Duration::from_secs(10),
        }
    }
}

/// Bounds on what clients may ask for. The largest values of their types are good for no bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest request line and headers together, in bytes: 431 (or 414) beyond. What is less than
    /// [`LEAST_HEADER_BYTES`](Self::LEAST_HEADER_BYTES) counts as that.
    pub header_bytes: usize,
    /// The longest body, in bytes: 413 beyond.
    pub body_bytes: usize,
    /// How many connections are served at the same time; more of them wait in the backlog of the system.
    pub connections: usize,
    /// How long a client may take to send the head of a request, and again its body. A connection that is idle for that
    /// long is closed, and so is one whose client reads nothing of its answers for that long.
    pub read_time: Duration,
}

impl Limits {
    /// The least that [`header_bytes`](Self::header_bytes) can be.
    pub const LEAST_HEADER_BYTES: usize = 8192;

    /// Those that hyper, a semaphore and a clock can keep: they panic at what is out of their range.
    pub(super) fn in_range(self) -> Self {
        Self {
            header_bytes: self.header_bytes.max(Self::LEAST_HEADER_BYTES),
            connections: self.connections.min(Semaphore::MAX_PERMITS),
            read_time: self.read_time.min(FOR_EVER),
            ..self
        }
    }
}

/// As good as for ever, 30 years, and still a time from now that every clock can hold.
const FOR_EVER: Duration = Duration::from_hours(30 * 365 * 24);

impl Default for Limits {
    fn default() -> Self {
        Self { header_bytes: 16 * 1024, body_bytes: 64 * 1024, connections: 10_000, read_time: Duration::from_secs(30) }
    }
}

/// Who is let in. The log has the [names](Caller::named) of callers.
#[derive(Debug)]
pub enum Authentication {
    /// Everybody: only on a loopback address.
    Off,
    /// Who has a token.
    Tokens(Tokens),
    /// Who signs with an access key.
    AkSk(AkSk),
    /// Who has either.
    Either(Box<(Tokens, AkSk)>),
}

impl Authentication {
    /// For the log.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Tokens(_) => "tokens",
            Self::AkSk(_) => "access keys",
            Self::Either(_) => "tokens and access keys",
        }
    }
}

impl Authenticate for Authentication {
    async fn authenticate(&self, head: &Parts, body: &[u8]) -> Result<Caller, Denied> {
        let caller = match self {
            Self::Off => Unauthenticated.authenticate(head, body).await,
            Self::Tokens(tokens) => tokens.authenticate(head, body).await,
            Self::AkSk(aksk) => aksk.authenticate(head, body).await,
            Self::Either(both) => both.authenticate(head, body).await,
        }?;
        exchange::note_caller(&caller);
        Ok(caller)
    }

    fn challenges(&self) -> Vec<HeaderValue> {
        match self {
            Self::Off => Unauthenticated.challenges(),
            Self::Tokens(tokens) => tokens.challenges(),
            Self::AkSk(aksk) => aksk.challenges(),
            Self::Either(both) => both.challenges(),
        }
    }
}
