//! What decides: which node has what, what to send next, what is confirmed and what is drained. No I/O, no clock.
//!
//! - `catalogue`: services as resources, each content with an id
//! - `stream`, `holds`: what a node was sent, and what it may route by because of that
//! - `nodes`, `pushes`: requests in, responses out
//! - `declared`, `releases`, `progress`, `withdrawal`: services and steps of releases in, how far they are out
//! - `memory`: what must outlive a restart

mod catalogue;
mod declared;
mod holds;
mod memory;
mod moment;
mod nodes;
mod progress;
mod pushes;
mod redact;
mod releases;
mod stream;
mod withdrawal;

pub use declared::{DeclareError, Declared};
pub use memory::{Fence, Memory, Remembered};
pub use moment::Moment;
pub use nodes::{ForgetError, NodeState, NodeStatus, NotANode, Request, StreamId};
pub use progress::{Blocker, Drained, Obstacle, Progress, Waiting};
pub use pushes::Push;
pub use releases::{StepError, service_of};

use crate::service::{Resource, ServiceConfig, ServiceName};
use catalogue::{Catalogue, Content, Contents};
use holds::Holds;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use stream::Stream;
use withdrawal::Withdrawal;

/// How careful a [`Control`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How many nodes with routes to a service must be known before a routing of it can be confirmed. At least 1: nobody
    /// can't confirm anything. 1.
    pub min_nodes: usize,
    /// How long the workers of an Envoy may go on with what they had after it has confirmed what is new: the old routes, and the
    /// cluster of a version that lost. Measured on Envoy 1.40: up to 30 ms with starved workers. 250 ms.
    ///
    /// It is waited for twice, before a version counts as drained and before its workloads are stopped: a machine that stood
    /// still in between has used up the first. What no wait bounds is a worker that stands still by itself while the main
    /// thread of its Envoy goes on; a `watchdogs` section with a `kill_timeout` in the bootstrap does.
    pub grace: Duration,
    /// How long a node that is cut off keeps the cluster of a version that lost, after it was last told to; `None`: for ever.
    ///
    /// It counts for a node whose stream has ended, and not for one that was cut off before the takeover, or since before
    /// the last restart of the control plane: those were not told, as far as is known. What remains is a process that was
    /// stopped or wedged, whose connection has ended: the timer that drops the cluster does not run in it, so what waits
    /// there can go to the version that lost when it goes on.
    pub fence: Option<Duration>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { min_nodes: 1, grace: Duration::from_millis(250), fence: None }
    }
}

/// The control plane of a mesh of Envoys, without its I/O.
///
/// **Calling contract.** Tell it what happens, in the order in which it happens, with the moment: streams and requests of
/// nodes ([`connected`](Self::connected), [`request`](Self::request), [`closed`](Self::closed)), services
/// ([`declare`](Self::declare)) and steps of releases ([`apply`](Self::apply), [`retire`](Self::retire)). After each, and at
/// [`wake`](Self::wake), take [`pushes`](Self::pushes) and send them; then save the [`memory`](Self::memory) if it is
/// [unsaved](Self::unsaved), while more happens if need be, and tell when it [is saved](Self::saved). Everything else only reads.
///
/// Nothing is sent before [`open`](Self::open): a control plane that was restarted must know what is to be served first.
///
/// **What is durable before what.** A crash may lose what was not saved. So a node is sent routes only when it is saved that it
/// may have them, or that a services file changed how. The routing of a release is sent at once: whoever asked for it has that on
/// record and asks again, before anything is sent, and until then the routing before it is one that was never declared over.
/// But nothing is confirmed, drained or withdrawn before all is saved that has led to it.
///
/// The rules are those of `envoy-measured.md`. What a node may route by is never taken for less than it could be: all that
/// was sent to it since the last response that it confirmed, and anything at all where it is not known.
#[derive(Debug)]
pub struct Control {
    settings: Settings,
    started: Moment,
    open: bool,
    services: BTreeMap<ServiceName, Managed>,
    catalogue: Catalogue,
    /// Clusters that are not served any more, but that a node may still route to.
    lingering: BTreeMap<String, Lingering>,
    /// All clusters that nodes are sent: made of those two when it is needed.
    offered: Option<Arc<Contents>>,
    nodes: BTreeMap<String, Node>,
    /// The node of each stream.
    streams: BTreeMap<StreamId, Arc<str>>,
    newest_stream: u64,
    newest_nonce: u64,
    newest_revision: u64,
    /// The streams that something may have to be sent to.
    due: BTreeSet<StreamId>,
    /// When clusters are to be sent again so that none of them ends, the next one first.
    beats: VecDeque<(Moment, StreamId)>,
    /// From when on no request by an old route can be under way to a cluster.
    free: BTreeMap<String, Moment>,
    /// The clusters of versions that were retired, until their workloads are gone.
    withdrawals: BTreeMap<String, Withdrawal>,
    /// The requests in progress by the load reports, and when there was last one.
    loads: BTreeMap<u64, BTreeMap<String, u64>>,
    last_load: BTreeMap<String, (u64, Moment)>,
    memory: Memory,
    /// The number of the memory as it is: it grows with every change.
    newest_memory: u64,
    /// The number of the newest that outlives a restart.
    saved_memory: u64,
    /// That of the first with all that was declared.
    declared_memory: u64,
    /// The streams that are sent something as soon as the memory is saved.
    held_back: BTreeSet<StreamId>,
}

/// A service, and what is remembered of it.
#[derive(Debug)]
struct Managed {
    declared: Declared,
    remembered: Remembered,
    /// What it wants served: made of the two.
    config: ServiceConfig,
    /// Its routes.
    rendered: Resource,
    /// Changes with its routes, and grows: no two services ever have the same, and none has one again.
    revision: u64,
    /// The number of the first memory with what is remembered of it.
    memory: u64,
}

/// A cluster that is not served any more, but that a node may still route to.
#[derive(Debug)]
struct Lingering {
    cluster: Arc<Content>,
    /// A node that may, as far as is known.
    held_by: Option<String>,
}

/// A node that has, or had, a stream.
#[derive(Debug, Default)]
struct Node {
    /// Those that are open; more than one while a connection takes the place of another.
    streams: BTreeMap<StreamId, Stream>,
    /// The number of the first memory with all route configurations that it may hold.
    memory: u64,
    /// What it may still route by although the stream it got that on has ended.
    left: Holds,
    /// Since when it has no stream; that of now if there is one.
    since: Moment,
    /// Whether two processes call themselves that.
    duplicate: bool,
    /// The clusters that it was told to drop when it hears nothing for a while.
    armed: BTreeMap<String, Armed>,
}

/// That a node was told to drop a cluster when it hears nothing for a while.
#[derive(Clone, Copy, Debug)]
struct Armed {
    /// When that was last said.
    said: Moment,
    /// Whether the node has ever taken it in.
    taken: bool,
}

impl Control {
    /// A control plane that remembers.
    pub fn new(settings: Settings, memory: Memory, now: Moment) -> Self {
        let nodes = memory.nodes.iter().map(|(id, names)| {
            let left = Holds::remembered(names);
            (id.clone(), Node { left, since: now, ..Node::default() })
        });
        Self {
            settings,
            started: now,
            open: false,
            services: BTreeMap::new(),
            catalogue: Catalogue::default(),
            lingering: BTreeMap::new(),
            offered: None,
            nodes: nodes.collect(),
            streams: BTreeMap::new(),
            newest_stream: 0,
            newest_nonce: 0,
            newest_revision: 0,
            due: BTreeSet::new(),
            beats: VecDeque::new(),
            free: BTreeMap::new(),
            withdrawals: Withdrawal::remembered(&memory, now),
            loads: BTreeMap::new(),
            last_load: BTreeMap::new(),
            memory,
            newest_memory: 0,
            saved_memory: 0,
            declared_memory: 0,
            held_back: BTreeSet::new(),
        }
    }

    /// What is to be served is known: from now on nodes are sent it.
    pub fn open(&mut self) {
        if !self.open {
            self.open = true;
            self.look_at_all();
        }
    }

    /// There was no memory although there should be one: see [`Memory::lost`].
    pub fn lost(&mut self) {
        if !std::mem::replace(&mut self.memory.lost, true) {
            self.newest_memory += 1;
        }
    }

    /// What must outlive a restart.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The number of the memory, if it must be saved.
    pub fn unsaved(&self) -> Option<u64> {
        (self.newest_memory > self.saved_memory).then_some(self.newest_memory)
    }

    /// Whether the memory that had that number outlives a restart.
    pub fn is_saved(&self, number: u64) -> bool {
        number <= self.saved_memory
    }

    /// The memory that had that number outlives a restart, and with it all earlier ones.
    pub fn saved(&mut self, number: u64) {
        self.saved_memory = self.saved_memory.max(number);
        self.due.append(&mut self.held_back);
    }

    /// The services, by name.
    pub fn services(&self) -> impl Iterator<Item = &ServiceConfig> {
        self.services.values().map(|managed| &managed.config)
    }

    /// What nodes are to be sent has changed.
    fn look_at_all(&mut self) {
        self.offered = None;
        self.due = self.streams.keys().copied().collect();
    }

    /// The memory of a service has changed.
    fn remember_service(&mut self, name: &ServiceName) {
        let Some(managed) = self.services.get_mut(name) else { return };
        let remembered = managed.remembered.clone();
        match self.memory.services.iter_mut().find(|known| known.name == *name) {
            Some(known) if *known == remembered => return,
            Some(known) => *known = remembered,
            None => self.memory.services.push(remembered),
        }
        self.newest_memory += 1;
        managed.memory = self.newest_memory;
    }

    /// What a node may hold, or is about to be sent, has changed.
    fn remember_node(&mut self, name: &str) {
        let names: BTreeSet<String> = self.nodes.get(name).into_iter().flat_map(Node::names).cloned().collect();
        let known = self.memory.nodes.get(name);
        if known.map_or(names.is_empty(), |known| *known == names) {
            return;
        }
        self.newest_memory += 1;
        let more = !known.is_some_and(|known| names.is_subset(known));
        if let Some(node) = self.nodes.get_mut(name).filter(|_| more) {
            node.memory = self.newest_memory;
        }
        if names.is_empty() {
            self.memory.nodes.remove(name);
        } else {
            self.memory.nodes.insert(name.to_owned(), names);
        }
    }

    fn stream(&self, id: StreamId) -> Option<&Stream> {
        self.nodes.get(&**self.streams.get(&id)?)?.streams.get(&id)
    }

    fn stream_mut(&mut self, id: StreamId) -> Option<&mut Stream> {
        self.nodes.get_mut(&**self.streams.get(&id)?)?.streams.get_mut(&id)
    }
}

impl Node {
    /// All that it may route by.
    fn holds(&self) -> impl Iterator<Item = &Holds> {
        std::iter::once(&self.left).chain(self.streams.values().map(|stream| &stream.holds))
    }

    /// The route configurations that it may hold or is about to be sent.
    fn names(&self) -> impl Iterator<Item = &String> {
        self.holds().flat_map(Holds::names).chain(self.streams.values().flat_map(|stream| &stream.promised))
    }

    /// Whether it may route to the cluster.
    fn may_reach(&self, cluster: &str) -> bool {
        self.holds().any(|holds| holds.may_reach(cluster))
    }

    /// Whether it has opened another stream after that one.
    fn has_newer(&self, id: StreamId) -> bool {
        self.streams.last_key_value().is_some_and(|(newest, _)| *newest > id)
    }
}
