//! What nodes say.

use super::catalogue::{Content, Contents, covers};
use super::holds::Holds;
use super::stream::{Answer, Names, Stream, Subscription};
use super::{Control, Moment, Node, redact};
use crate::service::{Kind, ServiceName, cluster_name};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// A stream of a node. One that was opened later is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub(super) u64);

/// The longest name of a node, in bytes.
const NAME_BYTES: usize = 256;

/// A request on a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The type it is about.
    pub kind: Kind,
    /// The version that the node has.
    pub version: String,
    /// The nonce of the response that this answers; empty in the first request of a stream.
    pub nonce: String,
    /// The resources that the node asks for.
    pub names: Vec<String>,
    /// Why it refused the response, if it did.
    pub refusal: Option<String>,
}

/// Why a stream is not one of a node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotANode {
    /// It does not say who it is.
    #[error("the first request of a stream must name the node: set node.id in the bootstrap of this Envoy")]
    Nameless,
    /// Its name can't be shown to anybody.
    #[error("node.id must have at most 256 bytes and no control characters")]
    BadName,
}

/// Why a node was not forgotten.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForgetError {
    /// There is none of that name.
    #[error("no node of that name is known")]
    Unknown,
    /// It is there.
    #[error("the node is connected: stop it, or wait until its connection has ended")]
    Connected,
    /// It is forgotten, but only until a restart, for this reason.
    #[error(
        "the node is forgotten, but a restart would wait for it again, because the state file can't be written: {0}"
    )]
    Unsaved(String),
}

/// A node, as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeStatus {
    /// The name that it gave.
    pub id: String,
    /// How it is.
    pub state: NodeState,
    /// Whether two processes call themselves that.
    pub duplicate: bool,
    /// The route configurations that it may hold.
    pub routes: Vec<String>,
    /// Why it refused what it was sent last, if it did.
    pub refusal: Option<String>,
}

/// How a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeState {
    /// It has a stream, and owes no answer.
    Connected,
    /// It has a stream, and owes an answer since then.
    Silent(Moment),
    /// It has had no stream since then. It may still route by what it has.
    CutOff(Moment),
}

impl Control {
    /// A node has opened a stream.
    pub fn connected(&mut self, node: &str, now: Moment) -> Result<StreamId, NotANode> {
        if node.is_empty() {
            return Err(NotANode::Nameless);
        }
        if node.len() > NAME_BYTES || node.chars().any(char::is_control) {
            return Err(NotANode::BadName);
        }
        let entry = self.nodes.entry(node.to_owned()).or_default();
        let mut holds = Holds::default();
        for held in entry.holds() {
            holds.join(held);
        }
        // What it has left goes on in the stream.
        entry.left = Holds::default();
        entry.since = now;
        entry.duplicate &= !entry.streams.is_empty();
        self.newest_stream += 1;
        let id = StreamId(self.newest_stream);
        entry.streams.insert(id, Stream { holds: holds.unconfirmed(), ..Stream::default() });
        self.streams.insert(id, node.into());
        Ok(id)
    }

    /// A node has sent a request.
    pub fn request(&mut self, id: StreamId, request: &Request, now: Moment) {
        let Some(name) = self.streams.get(&id).cloned() else { return };
        let Some(node) = self.nodes.get_mut(&*name) else { return };
        let newer = node.has_newer(id);
        let Some(stream) = node.streams.get_mut(&id) else { return };
        let kind = request.kind;
        let current = stream.subscriptions.get(&kind).map(|known| known.sent.as_ref().map_or("", |sent| &sent.nonce));
        if current.is_some_and(|current| current != request.nonce) {
            // Stale: a newer response is on its way. Nothing in it counts, its names neither.
            return;
        }
        if newer && !stream.twin {
            stream.twin = true;
            node.duplicate = true;
            tracing::warn!(
                node = &*name,
                "two Envoys have the same node.id: no takeover is safe until each has its own"
            );
        }
        let fresh = request.version.is_empty();
        if !fresh && stream.subscriptions.is_empty() && stream.holds.is_empty() {
            stream.holds.anything = true;
        }
        let before = stream.holds.clone();
        let (first, names) = stream.subscribe(request);
        if kind == Kind::Route {
            let names: BTreeSet<String> = names.named().cloned().collect();
            let strange = |name: &&String| first && !self.services.keys().any(|service| covers(name, service.parts()));
            for route in names.iter().filter(strange) {
                tracing::warn!(node = &*name, ?route, "a node asks for routes that no service is under: it gets none");
            }
            if first && fresh {
                // It has no routes at all.
                stream.holds.anything = false;
            }
            let known: BTreeSet<String> = stream.holds.names().cloned().collect();
            stream.holds.subscribed(&names);
            stream.promised.retain(|name| names.contains(name));
            if first && !fresh {
                for name in names.difference(&known) {
                    stream.holds.routes.entry(name.clone()).or_default().unknown = true;
                }
            }
        }
        if !request.nonce.is_empty() && !stream.subscriptions.contains_key(&Kind::Route) {
            // An Envoy asks for all that it has when its stream opens: this one has no routes from here.
            stream.holds.anything = false;
        }
        for cluster in stream.answer(request) {
            if let Some(armed) = node.armed.get_mut(&cluster) {
                armed.taken = true;
            }
        }
        let after = stream.holds.clone();
        self.departed(&before, &after, now);
        if kind == Kind::Cluster {
            self.drops(id, now);
        }
        self.remember_node(&name);
        self.due.insert(id);
    }

    /// A stream has ended. What its node had on it, it may go on with.
    pub fn closed(&mut self, id: StreamId, now: Moment) {
        self.due.remove(&id);
        self.held_back.remove(&id);
        let Some(name) = self.streams.remove(&id) else { return };
        let Some(node) = self.nodes.get_mut(&*name) else { return };
        let Some(stream) = node.streams.remove(&id) else { return };
        if node.has_newer(id) && !stream.twin {
            // The node is back already, and its new stream began with all that this one had.
            self.departed(&stream.holds, &Holds::default(), now);
        } else {
            // Of two processes of one name, the one that is cut off goes on too.
            node.left.join(&stream.holds);
            node.since = now;
        }
        if self.nodes.get(&*name).is_some_and(|node| node.streams.is_empty() && node.left.is_empty()) {
            self.nodes.remove(&*name);
        }
        self.remember_node(&name);
    }

    /// An operator says that a node is gone for good, or routes nothing any more. It counts when it is [saved](Self::saved).
    pub fn forget(&mut self, node: &str, now: Moment) -> Result<(), ForgetError> {
        let known = self.nodes.get(node).ok_or(ForgetError::Unknown)?;
        if !known.streams.is_empty() {
            return Err(ForgetError::Connected);
        }
        let Some(known) = self.nodes.remove(node) else { return Err(ForgetError::Unknown) };
        self.departed(&known.left, &Holds::default(), now);
        self.remember_node(node);
        Ok(())
    }

    /// The requests in progress per cluster, by the newest load report of a source.
    pub fn load(&mut self, source: u64, requests: BTreeMap<String, u64>, now: Moment) {
        let mut requests = requests;
        // Of other clusters, nodes could report any number.
        requests.retain(|cluster, _| self.catalogue.clusters.contains_key(cluster));
        let clusters: Vec<_> = requests.keys().cloned().collect();
        self.loads.insert(source, requests);
        for cluster in clusters {
            // What is in progress when the limit is over is what it ends: a later report can't say that any more, not within the
            // grace either, which only workers that were late still need.
            if self.free.get(&cluster).is_none_or(|free| now + self.settings.grace < *free) {
                let count = self.in_progress(&cluster);
                self.last_load.insert(cluster, (count, now));
            }
        }
    }

    /// A source reports no more.
    pub fn load_ended(&mut self, source: u64) {
        self.loads.remove(&source);
    }

    /// All nodes that are known, by name.
    pub fn nodes(&self) -> Vec<NodeStatus> {
        let status = |(id, node): (&String, &Node)| {
            let routes: BTreeSet<&String> = node.holds().flat_map(Holds::names).collect();
            NodeStatus {
                id: id.clone(),
                state: node.state(),
                duplicate: node.duplicate,
                routes: routes.into_iter().cloned().collect(),
                refusal: node.refusal().map(str::to_owned),
            }
        };
        self.nodes.iter().map(status).collect()
    }

    /// What a node may route by has become less: requests by the rest can be under way for a while.
    fn departed(&mut self, before: &Holds, after: &Holds, now: Moment) {
        let mut until: Vec<(String, Duration)> = Vec::new();
        for (name, hold) in &before.routes {
            let stays = |content: &Content| {
                let kept = after.routes.get(name);
                kept.is_some_and(|kept| kept.contents.iter().any(|held| held.id == content.id))
            };
            for content in hold.contents.iter().filter(|content| !stays(content)) {
                until.extend(content.reaches.iter().map(|(cluster, longest)| (cluster.clone(), *longest)));
            }
        }
        let doubted = after.in_doubt(self.services.keys());
        for name in before.in_doubt(self.services.keys()) {
            let Some(managed) = self.services.get(name).filter(|_| !doubted.contains(&name)) else { continue };
            let labels = managed.declared.versions.keys();
            until.extend(labels.map(|label| (cluster_name(name, label), managed.remembered.longest_stream)));
        }
        for (cluster, longest) in until {
            let free = now + self.settings.grace + longest;
            let known = self.free.entry(cluster).or_default();
            *known = free.max(*known);
        }
    }
}

impl Node {
    pub(super) fn state(&self) -> NodeState {
        if self.streams.is_empty() {
            return NodeState::CutOff(self.since);
        }
        let subscriptions = self.streams.values().flat_map(|stream| stream.subscriptions.values());
        let owed = subscriptions.filter_map(Subscription::outstanding).min();
        owed.map_or(NodeState::Connected, NodeState::Silent)
    }

    /// Why it refused the newest that it was sent.
    pub(super) fn refusal(&self) -> Option<&str> {
        self.streams.values().flat_map(|stream| stream.subscriptions.values()).find_map(Subscription::refusal)
    }

    /// The services in routes that it refused, whose routes are not those that it confirmed last.
    pub(super) fn refused(&self) -> BTreeSet<&ServiceName> {
        let mut services = BTreeSet::new();
        for stream in self.streams.values() {
            let Some(routes) = stream.subscriptions.get(&Kind::Route) else { continue };
            let Some(sent) = routes.sent.as_ref().filter(|_| routes.refusal().is_some()) else { continue };
            for (name, content) in sent.contents.iter() {
                let confirmed = stream.holds.last_confirmed(name);
                let same = |service: &ServiceName, revision: &u64| {
                    confirmed.is_some_and(|confirmed| confirmed.revisions.get(service) == Some(revision))
                };
                services
                    .extend(content.revisions.iter().filter(|(name, revision)| !same(name, revision)).map(|of| of.0));
            }
        }
        services
    }
}

impl Stream {
    /// Takes in what the node asks for. Returns whether it asks for that type for the first time, and for what.
    fn subscribe(&mut self, request: &Request) -> (bool, Names) {
        let kind = request.kind;
        let Some(known) = self.subscriptions.get_mut(&kind) else {
            let names = Names::read(kind, &request.names, None);
            let subscription = Subscription { names: names.clone(), sent: None, retry: false };
            self.subscriptions.insert(kind, subscription);
            return (true, names);
        };
        let names = Names::read(kind, &request.names, Some(&known.names));
        if let Some(sent) = &mut known.sent
            && !sent.contents.keys().all(|name| names.contain(name))
        {
            // What it does not ask for any more it drops: it must get it again should it ask again.
            Arc::make_mut(&mut sent.contents).retain(|name, _| names.contain(name));
        }
        known.names = names.clone();
        (false, names)
    }

    /// Takes in what the node says to the newest response. Returns the clusters that it now knows to drop when it hears
    /// nothing for a while.
    fn answer(&mut self, request: &Request) -> Vec<String> {
        let kind = request.kind;
        let Some(sent) = self.subscriptions.get_mut(&kind).and_then(|known| known.sent.as_mut()) else {
            return Vec::new();
        };
        if sent.answer != Answer::Outstanding {
            return Vec::new();
        }
        let mut armed = Vec::new();
        let had = &sent.contents;
        match &request.refusal {
            Some(reason) => {
                let uses = |name: &str| sent.contents.values().any(|content| content.resource.uses.contains(name));
                let known = |name: &str| had.contains_key(name) || uses(name);
                tracing::debug!(reason = redact::whole(reason, known), "what a node says about what it refused");
                sent.answer = Answer::Refused(redact::reason(reason, known));
                if kind == Kind::Cluster {
                    // It can have been applied in part.
                    if let Some(known) = &mut self.clusters {
                        Arc::make_mut(known).retain(|name, _| had.contains_key(name));
                    }
                }
            }
            None if request.version == sent.version => {
                sent.answer = Answer::Taken;
                match kind {
                    Kind::Cluster => {
                        armed.extend(sent.ttl.keys().cloned());
                        let same = |known: &Arc<Contents>| Arc::ptr_eq(known, had) || known.keys().eq(had.keys());
                        let more = !self.clusters.as_ref().is_some_and(same);
                        self.clusters = Some(Arc::clone(had));
                        if more && let Some(routes) = self.subscriptions.get_mut(&Kind::Route) {
                            routes.retry = true;
                        }
                    }
                    Kind::Endpoints => {}
                    Kind::Route => {
                        for content in sent.contents.values() {
                            self.holds.confirmed(content);
                        }
                    }
                }
            }
            // Neither taken nor refused: it owes an answer.
            None => {}
        }
        armed
    }
}
