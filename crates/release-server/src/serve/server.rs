//! A server: started from a configuration, stopped in bounded time.

use super::config::{Authentication, Config, MeshConfig, Options, StoreConfig};
use super::engine_thread::EngineThread;
use super::exchange;
use super::handler::{self, Backend, Handler};
use super::listener::Listener;
use super::metrics::{CountingMesh, Metrics};
use super::simulated::Simulated;
use prometheus_client::metrics::gauge::Gauge;
use release_engine::{Engine, Mesh, Settings, Store, StoreError};
use release_store::{MemoryStore, OpenError, RedbStore};
use release_xds::EnvoyMesh;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// A server that is running. [`shutdown`](Self::shutdown) stops it; dropping it stops it too, without waiting.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use release_server::serve::{Config, MeshConfig, Options, Server, StoreConfig};
/// use std::time::Duration;
///
/// let mesh = MeshConfig::Simulated { lag: Duration::ZERO, listen: None };
/// let config = Config { store: StoreConfig::Memory, mesh, options: Options::default() };
/// let server = Server::start(config).await.unwrap();
/// assert!(server.address().ip().is_loopback());
/// assert!(server.shutdown().await);
/// # });
/// ```
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    simulated: Option<SocketAddr>,
    xds: Option<SocketAddr>,
    stop: CancellationToken,
    running: Option<JoinHandle<bool>>,
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Without authentication on an address that others can reach.
    #[error(
        "without authentication the server listens on a loopback address only, and {0} is none: use 127.0.0.1 or [::1], or give it tokens or access keys"
    )]
    Exposed(SocketAddr),
    /// The address can't be listened on.
    #[error("can't listen on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// The directory of the store can't be made.
    #[error("the directory {} can't be made: {error}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// The store's file was not opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The system has no threads, signals or standard output for it.
    #[error("the system refuses what a server needs: {0}")]
    System(#[source] io::Error),
    /// The mesh of Envoys did not start.
    #[error(transparent)]
    Envoy(Box<release_xds::StartError>),
    /// The tasks in the store can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Server {
    /// Starts a server. When it returns, requests are answered, and what was under way goes on.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let Config { store, mesh, options } = config;
        options.check()?;
        match store {
            StoreConfig::Memory => {
                tracing::warn!("tasks are kept in memory: they are gone with this process");
                Self::with_store(MemoryStore::new(), mesh, options).await
            }
            StoreConfig::Redb(path) => {
                std::fs::create_dir_all(&path).map_err(|error| StartError::Directory { path: path.clone(), error })?;
                Self::with_store(RedbStore::open(path.join("releases.redb"))?, mesh, options).await
            }
        }
    }

    async fn with_store<S: Store>(store: S, mesh: MeshConfig, options: Options) -> Result<Self, StartError> {
        match mesh {
            MeshConfig::Simulated { lag, listen } => {
                tracing::warn!("the mesh is simulated: no traffic is routed by this server");
                let mesh = Simulated::new(lag);
                let traffic = match listen {
                    Some(address) => {
                        let (socket, address) = bind(address).await?;
                        Some((socket, address, mesh.handler()))
                    }
                    None => None,
                };
                Self::start_with(store, mesh, options, Beside { traffic, ..Beside::default() }).await
            }
            MeshConfig::Envoy(config) => {
                if config.state.is_none() {
                    tracing::warn!("which Envoys may still route is kept in memory: a restart forgets it");
                }
                let mesh = EnvoyMesh::start(config).await.map_err(|error| StartError::Envoy(Box::new(error)))?;
                let beside = Beside { envoys: Some(mesh.clone()), ..Beside::default() };
                Self::start_with(store, mesh, options, beside).await
            }
        }
    }

    /// Starts a server on a store and a mesh of your own. The engine asks them on a thread of its own, with a tokio runtime
    /// that ends with the server: what they spawn there ends then, too.
    pub async fn start_on<S: Store, M: Mesh>(store: S, mesh: M, options: Options) -> Result<Self, StartError> {
        options.check()?;
        Self::start_with(store, mesh, options, Beside::default()).await
    }

    async fn start_with<S: Store, M: Mesh>(
        store: S,
        mesh: M,
        options: Options,
        beside: Beside,
    ) -> Result<Self, StartError> {
        let Beside { traffic, envoys } = beside;
        let options = Options { limits: options.limits.in_range(), ..options };
        let (socket, address) = bind(options.listen).await?;
        let stop = CancellationToken::new();
        let metrics = Arc::new(Metrics::new(envoys.clone()));
        let counted = CountingMesh { mesh, metrics: Arc::clone(&metrics) };
        let observer = Arc::clone(&metrics);
        let settings = Settings {
            wait: options.wait,
            observer: Arc::new(move |event| observer.observe(event)),
            span: exchange::span,
            ..Settings::default()
        };
        let thread = EngineThread::start().map_err(StartError::System)?;
        let engine = thread.wrap(Engine::start(store, counted, settings)).await?;
        let Options { takeover, wait, codes, limits, shutdown_limit: limit, .. } = options;
        let authentication = options.authentication.kind();
        let open = metrics.connections().clone();
        let backend = Backend { engine: engine.clone(), envoys: envoys.clone(), metrics, stop: stop.clone() };
        let requests = Listener { socket, handler: handler::handler(backend, options), limits, open };
        let simulated = traffic.as_ref().map(|(_, address, _)| *address);
        let xds = envoys.as_ref().map(EnvoyMesh::address);
        let traffic = traffic.map(|(socket, _, handler)| Listener { socket, handler, limits, open: Gauge::default() });
        let stopped = stop.clone();
        let running = tokio::spawn(async move {
            let traffic = async {
                match traffic {
                    Some(traffic) => traffic.serve(stopped.clone(), limit).await,
                    None => true,
                }
            };
            let ends = async {
                stopped.cancelled().await;
                let began = Instant::now();
                // Answers those who wait, so that their connections can end.
                let ended = engine.shutdown(limit).await;
                let ended = match envoys {
                    Some(envoys) => envoys.shutdown(limit.saturating_sub(began.elapsed())).await && ended,
                    None => ended,
                };
                (began, ended)
            };
            let (requests, traffic, (began, ended)) =
                tokio::join!(requests.serve(stopped.clone(), limit), traffic, ends);
            // With the store, which may wait for its disk then, and blocks.
            let dropped = spawn_blocking(|| drop(engine));
            let dropped = timeout(limit.saturating_sub(began.elapsed()), dropped).await.is_ok();
            drop(thread);
            requests && traffic && ended && dropped
        });
        tracing::info!(%address, authentication, ?takeover, ?wait, ?codes, "listening");
        Ok(Self { address, simulated, xds, stop, running: Some(running) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the simulated mesh takes requests, if it does.
    pub fn simulated_address(&self) -> Option<SocketAddr> {
        self.simulated
    }

    /// Where Envoys connect to, if they are the mesh.
    pub fn xds_address(&self) -> Option<SocketAddr> {
        self.xds
    }

    /// Stops: no more connections are accepted, callers that wait for a takeover are told that it goes on, requests under
    /// way are answered, and the store is dropped. Returns whether all of that was done within
    /// [`Options::shutdown_limit`]; nothing is lost if not.
    pub async fn shutdown(mut self) -> bool {
        self.stop.cancel();
        match self.running.take() {
            Some(running) => running.await.unwrap_or(false),
            None => true,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Options {
    fn check(&self) -> Result<(), StartError> {
        let open = matches!(self.authentication, Authentication::Off);
        if open && !self.listen.ip().to_canonical().is_loopback() {
            return Err(StartError::Exposed(self.listen));
        }
        Ok(())
    }
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |error| StartError::Listen { address, error };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// What some meshes come with.
#[derive(Default)]
struct Beside {
    /// Where a simulated mesh takes requests, and what answers them.
    traffic: Option<(TcpListener, SocketAddr, Handler)>,
    envoys: Option<EnvoyMesh>,
}
