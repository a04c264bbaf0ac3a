//! The mesh of Envoys that an engine can drive.

mod describe;
mod hooks;
mod perform;
mod ready;
mod save;
mod state_file;

use crate::control::{self, Control, Declared, ForgetError, NodeState};
use crate::server::{self, Hub};
use crate::service::ServiceName;
use crate::services::{Description, Watch, WatchError};
use hooks::Hooks;
use release_core::{Note, ReleaseKey, ReleaseSpec, ReleaseTask, Report, Step};
use release_engine::{Mesh, Timestamp};
use state_file::StateFile;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep_until};
use tokio_util::task::TaskTracker;

/// How a mesh of Envoys is started.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where nodes connect to. Whoever can connect there can read the routes, and is waited for like any node: keep it to
    /// networks that only nodes are on.
    pub listen: SocketAddr,
    /// The [services file](crate::services). It is read again whenever it changes.
    pub services: PathBuf,
    /// The file for what must outlive a restart: see [`Memory`](control::Memory). With `None`, a restart forgets which nodes
    /// may still route and what was retired: for tests only.
    pub state: Option<PathBuf>,
    /// How careful it is.
    pub settings: control::Settings,
}

/// Why a mesh did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The services file can't be read.
    #[error(transparent)]
    Services(#[from] WatchError),
    /// What is in the services file does not go with what is remembered.
    #[error("{}: {error}", path.display())]
    Declare {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: control::DeclareError,
    },
    /// The state file can't be used.
    #[error("state file {0}")]
    State(String),
    /// The address can't be listened on.
    #[error("can't listen on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        error: io::Error,
    },
}

/// Why nodes are not sent what they are to be sent. They go on with what they have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotServing {
    /// The control plane has ended.
    #[error("the control plane has ended")]
    Ended,
    /// What must outlive a restart can't be saved; the log says why. It is tried again and again.
    #[error("what the control plane must remember can't be saved")]
    Unsaved,
}

/// A node, as operators see it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeReport {
    /// The name that it gave.
    pub id: String,
    /// Whether it is connected.
    pub connected: bool,
    /// Whether two Envoys call themselves that: give each its own `node.id`.
    pub duplicate: bool,
    /// Since when it owes an answer, or is cut off, in RFC 3339; `None` if it is connected and owes nothing.
    pub since: Option<String>,
    /// The route configurations that it may hold.
    pub routes: Vec<String>,
    /// Why it refused what it was sent last, if it did.
    pub refusal: Option<String>,
}

/// A mesh of Envoys, and the control plane that serves them. Clones are the same mesh.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use release_xds::{Config, EnvoyMesh, control};
/// use std::time::Duration;
///
/// let folder = tempfile::tempdir()?;
/// let services = folder.path().join("services.toml");
/// std::fs::write(&services, r#"
/// [[service]]
/// mesh = "mesh-1"
/// namespace = "shop"
/// name = "cart"
/// serves = "v1"
/// versions.v1 = ["10.0.0.1:8080"]
/// versions.v2 = ["10.0.0.2:8080"]
/// "#)?;
/// let mesh = EnvoyMesh::start(Config {
///     listen: "127.0.0.1:0".parse()?,
///     services,
///     state: Some(folder.path().join("mesh.json")),
///     settings: control::Settings::default(),
/// }).await?;
/// assert!(mesh.nodes().is_empty());
/// assert!(mesh.shutdown(Duration::from_secs(5)).await);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct EnvoyMesh(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    hub: Arc<Hub>,
    address: SocketAddr,
    /// Whether there was no state file at the start.
    new: bool,
    descriptions: Mutex<BTreeMap<ServiceName, Description>>,
    hooks: Hooks,
    /// What a waiting step was last said to wait for.
    told: Mutex<HashMap<ReleaseKey, String>>,
    cut_off: AtomicU64,
    tracker: TaskTracker,
}

/// How often the services file is looked at.
const LOOK: Duration = Duration::from_secs(1);

impl EnvoyMesh {
    /// Starts a control plane. Nodes can connect when it returns; they are sent their routes as soon as an engine that
    /// drives this mesh has said which releases are open.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let Config { listen, services, state, settings } = config;
        let path = services;
        let (watch, services) = Watch::open(&path)?;
        let (mut state, memory) = match state {
            Some(path) => {
                let (file, memory) = StateFile::open(&path).map_err(StartError::State)?;
                (Some(file), memory)
            }
            None => (None, Some(control::Memory::default())),
        };
        let new = memory.is_none();
        let memory = memory.unwrap_or_default();
        let hub = Arc::new(Hub::new(Control::new(settings, memory, control::Moment::default()), state.is_some()));
        let listener = TcpListener::bind(listen).await;
        let listener = listener.map_err(|error| StartError::Listen { address: listen, error })?;
        let address = listener.local_addr().map_err(|error| StartError::Listen { address: listen, error })?;
        let inner = Arc::new(Inner {
            hub: Arc::clone(&hub),
            address,
            new,
            descriptions: Mutex::default(),
            hooks: Hooks::default(),
            told: Mutex::default(),
            cut_off: AtomicU64::new(0),
            tracker: TaskTracker::new(),
        });
        let _ = inner.declare(services).map_err(|error| StartError::Declare { path, error })?;
        if let Some(file) = &mut state
            && let Some((number, memory)) = hub.to_be_saved()
        {
            file.save(&memory).map_err(StartError::State)?;
            hub.saved(number, Ok(()));
        }
        let serving = Arc::clone(&hub);
        // Also if it panics.
        let ended = hub.ended.clone().drop_guard();
        inner.tracker.spawn(async move {
            let _ended = ended;
            if let Err(error) = server::serve(serving, listener).await {
                tracing::error!(%error, "the control plane serves no more");
            }
        });
        inner.tracker.spawn(beat(Arc::clone(&hub)));
        if let Some(file) = state {
            inner.tracker.spawn(save::save(Arc::clone(&hub), file));
        }
        // Not held by the mesh itself: it would never end.
        inner.tracker.spawn(reload(Arc::downgrade(&inner), watch, hub));
        tracing::info!(%address, "the control plane listens");
        Ok(Self(inner))
    }

    /// Where nodes connect to.
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// Whether nodes are sent what they are to be sent. For probes: it costs no I/O.
    pub fn serves(&self) -> Result<(), NotServing> {
        let hub = &self.0.hub;
        if hub.ended.is_cancelled() {
            Err(NotServing::Ended)
        } else if hub.trouble().is_some() {
            Err(NotServing::Unsaved)
        } else {
            Ok(())
        }
    }

    /// All nodes that are known, by name: also those that are cut off, and are waited for.
    pub fn nodes(&self) -> Vec<NodeReport> {
        let hub = &self.0.hub;
        let nodes = hub.read(|control, _| control.nodes());
        let report = |node: control::NodeStatus| {
            let (connected, since) = match node.state {
                NodeState::Connected => (true, None),
                NodeState::Silent(since) => (true, Some(since)),
                NodeState::CutOff(since) => (false, Some(since)),
            };
            let since = since.map(|since| hub.wall(since).to_string());
            NodeReport {
                id: node.id,
                connected,
                duplicate: node.duplicate,
                since,
                routes: node.routes,
                refusal: node.refusal,
            }
        };
        nodes.into_iter().map(report).collect()
    }

    /// How many requests were in progress to versions that lost when `max_stream_duration` ended them, by the load reports,
    /// since the start: it only grows. One that is not zero says that the limit is too short for the service.
    pub fn cut_off(&self) -> u64 {
        self.0.cut_off.load(Ordering::Relaxed)
    }

    /// Forgets a node that is cut off: an operator knows that it is gone for good, or routes nothing any more. Takeovers
    /// wait for it no longer. **If it is still there, it may send requests to a version that was retired.**
    pub async fn forget(&self, node: &str) -> Result<(), ForgetError> {
        self.0.hub.tell(|control, now| control.forget(node, now))?;
        tracing::warn!(node, "an operator had a node forgotten");
        self.0.hub.until_saved().await.map_err(ForgetError::Unsaved)
    }

    /// Ends the connections of all nodes, which go on with what they have, and stops. Returns whether that was done within
    /// the limit.
    pub async fn shutdown(&self, limit: Duration) -> bool {
        self.0.hub.end();
        self.0.tracker.close();
        tokio::time::timeout(limit, self.0.tracker.wait()).await.is_ok()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.hub.end();
    }
}

impl Inner {
    /// Returns whether that was done: not while something is unsaved that a crash would take back.
    fn declare(&self, services: Vec<Description>) -> Result<bool, control::DeclareError> {
        let declared = services.iter().map(declared).collect();
        let taken = self.hub.tell(|control, _| match control.unsaved() {
            Some(_) => Ok(false),
            None => control.declare(declared).map(|()| true),
        })?;
        if !taken {
            return Ok(false);
        }
        let by_name = services.into_iter().map(|service| (service.name.clone(), service)).collect();
        *self.descriptions.lock().unwrap_or_else(PoisonError::into_inner) = by_name;
        Ok(true)
    }

    fn description(&self, service: &ServiceName) -> Option<Description> {
        self.descriptions.lock().unwrap_or_else(PoisonError::into_inner).get(service).cloned()
    }
}

/// What concerns the routes of a service.
fn declared(service: &Description) -> Declared {
    Declared {
        name: service.name.clone(),
        domains: service.domains.clone(),
        max_stream_duration: service.max_stream_duration,
        versions: service.versions.clone(),
        serves: service.serves.clone(),
    }
}

/// Sends what is to be sent although nothing happens: the heartbeats of the fence.
async fn beat(hub: Arc<Hub>) {
    let mut changed = hub.changed.subscribe();
    loop {
        changed.mark_unchanged();
        let wake = hub.read(|control, _| control.wake()).map(|wake| hub.instant(wake));
        tokio::select! {
            () = hub.stop.cancelled() => return,
            _ = changed.changed() => {}
            () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => hub.tell(|_, _| ()),
        }
    }
}

/// Takes in the services file whenever it changes. What is wrong with it is logged, and what was before goes on.
async fn reload(inner: std::sync::Weak<Inner>, mut watch: Watch, hub: Arc<Hub>) {
    // Why what the file describes now was not taken in, the last time that was said.
    let mut refused = None;
    loop {
        tokio::select! {
            () = hub.stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        let read = watch.changed();
        let Some(inner) = inner.upgrade() else { return };
        match read {
            Ok(None) => {}
            Ok(Some(services)) => match inner.declare(services) {
                Ok(true) => {
                    watch.taken();
                    refused = None;
                    tracing::info!("the services file was read again");
                }
                // It is tried again at each look: a release that it goes against may be closed by then, and all be saved.
                Err(error) if refused.as_ref() != Some(&error) => {
                    tracing::error!(%error, "the services file is not taken in for now");
                    refused = Some(error);
                }
                Ok(false) | Err(_) => {}
            },
            Err(error) => tracing::error!(%error, "the services file was not taken in"),
        }
    }
}

impl Mesh for EnvoyMesh {
    async fn perform(&self, spec: &ReleaseSpec, step: &Step) -> Report {
        match perform::perform(&self.0, spec, step).await {
            Ok(report) => report,
            Err(reason) => step.failed(Note::from(reason)),
        }
    }

    async fn restore(&self, tasks: &[ReleaseTask]) {
        self.0.hub.tell(|control, _| {
            if self.0.new && !tasks.is_empty() {
                tracing::error!("there was no state file although releases are open: none of them is drained");
                control.lost();
            }
            for task in tasks {
                // The newest that nodes may have been given: what comes before it in the task would be a step back.
                let wanted = task.wanted();
                if let Err(error) = control.apply(task.spec(), wanted.generation, &wanted.routing) {
                    tracing::warn!(release = %task.key(), %error, "a release was not taken up again as it is stored");
                }
            }
            control.open();
        });
    }
}

/// A moment as people read it.
fn shown(time: Timestamp) -> String {
    // To the second: the same moment is to be the same text.
    Timestamp::from_millis(time.as_millis() / 1000 * 1000).to_string()
}

#[cfg(test)]
mod tests {
    use super::{Config, EnvoyMesh, control};
    use release_core::{Generation, ReleaseKey, ReleaseSpec, Report, Routing, Step, Version};
    use release_engine::Mesh as _;

    #[tokio::test]
    async fn a_step_says_that_the_state_file_cannot_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let services = folder.path().join("services.toml");
        let service = "mesh = \"m\"\nnamespace = \"shop\"\nname = \"cart\"\nserves = \"v1\"\n";
        let versions = "versions.v1 = [\"127.0.0.1:1\"]\nversions.v2 = [\"127.0.0.1:1\"]\n";
        std::fs::write(&services, format!("[[service]]\n{service}{versions}")).unwrap();
        let listen = "127.0.0.1:0".parse().unwrap();
        let settings = control::Settings::default();
        let mesh = EnvoyMesh::start(Config { listen, services, state: None, settings }).await.unwrap();
        let spec = ReleaseSpec {
            key: ReleaseKey::parse("m", "shop", "a").unwrap(),
            service: "cart".parse().unwrap(),
            original: "v1".parse().unwrap(),
            grayscale: "v2".parse().unwrap(),
        };
        let step = Step::Apply { generation: Generation::new(2), routing: Routing::exclusive(Version::Original) };
        mesh.0.hub.saved(0, Err("mesh.json: the disk is full".to_owned()));
        let report = mesh.perform(&spec, &step).await;
        let Report::Failed { reason, .. } = report else { panic!("{report:?}") };
        assert_eq!(reason.as_str(), "the state file can't be written: mesh.json: the disk is full");
        mesh.0.hub.saved(0, Ok(()));
        let report = mesh.perform(&spec, &step).await;
        let Report::Failed { reason, .. } = report else { panic!("{report:?}") };
        assert_eq!(reason.as_str(), "too few nodes are known: 0 have confirmed the routing");
    }
}
