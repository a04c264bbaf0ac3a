//! Nodes that do what Envoys do, without a connection, and a [`Control`] that is told of them late.

#![expect(clippy::indexing_slicing, reason = "every index is below the number of nodes")]

use crate::control::{Control, Declared, Memory, Moment, Progress, Push, Request, Settings, StreamId, service_of};
use crate::service::{Endpoint, Kind, VersionConfig, cluster_name};
use release_core::{Generation, ParseError, Percent, ReleaseKey, ReleaseSpec, Routing, Version};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// How long a request may take in this world.
const STREAM: Duration = Duration::from_secs(2);

/// The route configuration that every node asks for.
const ROUTE: &str = "mesh-1";

/// How many nodes there are.
const NODES: u8 = 3;

/// What bytes say happens to a control plane and three nodes; `Err` says which promise was broken.
///
/// Each two bytes are one event: responses arrive or are refused, answers arrive, nodes connect, are cut off, are killed or
/// forgotten, the control plane is restarted and has lost what was not saved, routings are applied and versions retired, what is
/// remembered is saved, time passes.
///
/// - A routing is confirmed only if every node that routes does so by it.
/// - A version is drained or retired only if no node routes to it, and the last that did has not for the grace and the
///   longest stream.
/// - No node is sent routes before their clusters, and none loses a cluster that it routes to.
pub fn control(bytes: &[u8]) -> Result<Seen, String> {
    let mut world = World::new().map_err(|error| error.to_string())?;
    for pair in bytes.chunks_exact(2).take(400) {
        let &[event, what] = pair else { break };
        world.happens(event, what).map_err(|broken| format!("{broken}\n{}", world.story.join("\n")))?;
    }
    Ok(world.seen)
}

/// How often something was seen: a property that never gets anywhere shows nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Routings that were confirmed.
    pub confirmed: u32,
    /// Versions that were drained.
    pub drained: u32,
    /// Versions that were retired.
    pub retired: u32,
    /// Responses that were refused.
    pub refused: u32,
}

struct World {
    control: Control,
    /// What is saved: all that outlives a restart.
    saved: Memory,
    /// What is being saved, and its number: a restart may find it or not.
    saving: Option<(u64, Memory)>,
    now: Moment,
    nodes: Vec<Node>,
    spec: ReleaseSpec,
    /// How often a release was begun.
    releases: u32,
    applied: Option<(Generation, Routing)>,
    seen: Seen,
    story: Vec<String>,
}

#[derive(Default)]
struct Node {
    stream: Option<StreamId>,
    /// The versions that it has taken last.
    versions: BTreeMap<Kind, String>,
    clusters: BTreeSet<String>,
    /// The clusters of its routes, once it has any.
    routes: Option<BTreeSet<String>>,
    /// When it last could give a request to a cluster.
    used: BTreeMap<String, Moment>,
    inbox: VecDeque<Push>,
    outbox: VecDeque<Request>,
}

impl World {
    fn new() -> Result<Self, ParseError> {
        let spec = spec(0)?;
        let mut control = Control::new(settings(), Memory::default(), Moment::default());
        let _ = control.declare(vec![declared(&spec)]);
        control.open();
        let nodes = (0..NODES).map(|_| Node::default()).collect();
        let (saved, saving, now, story) = (Memory::default(), None, Moment::default(), Vec::new());
        Ok(Self { control, saved, saving, now, nodes, spec, releases: 0, applied: None, seen: Seen::default(), story })
    }

    fn happens(&mut self, event: u8, what: u8) -> Result<(), String> {
        self.story.push(format!("at {:?}: event {} {what}", self.now.since_start(), event % 20));
        let index = usize::from(what % NODES);
        match event % 20 {
            0..=3 => self.arrives_at_node(index, what / NODES)?,
            4..=7 => self.arrives_at_control(index),
            8 => self.connect(index),
            9 => self.cut_off(index),
            10 if what < 64 => {
                // The process ends, and what it did with it.
                self.cut_off(index);
                self.nodes[index] = Node::default();
            }
            10 if what < 96 => self.forget(index),
            10 => self.restart(what.is_multiple_of(2))?,
            11 => self.apply(what),
            12 | 13 => self.now = self.now + Duration::from_millis(u64::from(what) * 20),
            14 | 15 => self.judge(what)?,
            _ => self.save(),
        }
        self.send();
        self.check_confirmed()
    }

    fn connect(&mut self, index: usize) {
        self.cut_off(index);
        let Ok(stream) = self.control.connected(&format!("envoy-{index}"), self.now) else { return };
        let node = &mut self.nodes[index];
        node.stream = Some(stream);
        for kind in [Kind::Cluster, Kind::Route] {
            node.asks(kind, String::new(), None);
        }
    }

    /// Its stream ends; what was under way is lost, and it goes on with what it has.
    fn cut_off(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        node.inbox.clear();
        node.outbox.clear();
        if let Some(stream) = node.stream.take() {
            self.control.closed(stream, self.now);
        }
    }

    /// An operator has it forgotten who has made sure that it routes nothing.
    fn forget(&mut self, index: usize) {
        if self.nodes[index].stream.is_none() {
            let _ = self.control.forget(&format!("envoy-{index}"), self.now);
            let used = std::mem::take(&mut self.nodes[index].used);
            self.nodes[index] = Node { used, ..Node::default() };
        }
    }

    /// `in_time`: what was being saved is.
    fn restart(&mut self, in_time: bool) -> Result<(), String> {
        for index in 0..self.nodes.len() {
            self.cut_off(index);
        }
        if let Some((_, saving)) = self.saving.take().filter(|_| in_time) {
            self.saved = saving;
        }
        self.control = Control::new(settings(), self.saved.clone(), self.now);
        self.control.declare(vec![declared(&self.spec)]).map_err(|error| error.to_string())?;
        // What an engine asked for it has on record.
        if let Some((generation, routing)) = &self.applied {
            let applied = self.control.apply(&self.spec, *generation, routing);
            applied.map_err(|error| format!("generation {generation} is not taken up again: {error}"))?;
        }
        self.control.open();
        Ok(())
    }

    /// What is remembered begins to be saved, or is saved.
    fn save(&mut self) {
        if let Some((number, saving)) = self.saving.take() {
            self.saved = saving;
            self.control.saved(number);
        } else if let Some(number) = self.control.unsaved() {
            self.saving = Some((number, self.control.memory().clone()));
        }
    }

    fn arrives_at_node(&mut self, index: usize, how: u8) -> Result<(), String> {
        let now = self.now;
        let node = &mut self.nodes[index];
        let Some(push) = node.inbox.pop_front() else { return Ok(()) };
        let uses: BTreeSet<String> =
            push.resources.iter().flat_map(|(resource, _)| resource.uses.iter().cloned()).collect();
        let names: BTreeSet<String> = push.resources.iter().map(|(resource, _)| resource.name.clone()).collect();
        // A refused response may have been applied all the same.
        let (refuses, applies) = (how.is_multiple_of(8), !how.is_multiple_of(16));
        match push.kind {
            Kind::Cluster if applies => {
                if let Some(lost) = node.routes.iter().flatten().find(|cluster| !names.contains(*cluster)) {
                    return Err(format!("envoy-{index} routes to {lost}, and is told to drop it"));
                }
                node.clusters = names;
            }
            Kind::Route => {
                if let Some(lacking) = uses.iter().find(|cluster| !node.clusters.contains(*cluster)) {
                    return Err(format!("envoy-{index} is given routes to {lacking}, which it does not have"));
                }
                if applies {
                    node.route(Some(uses), now);
                }
            }
            Kind::Cluster | Kind::Endpoints => {}
        }
        if refuses {
            self.seen.refused += 1;
            node.asks(push.kind, push.nonce, Some("it is out of order".to_owned()));
        } else {
            node.versions.insert(push.kind, push.version);
            node.asks(push.kind, push.nonce, None);
        }
        Ok(())
    }

    fn arrives_at_control(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        let (Some(stream), Some(request)) = (node.stream, node.outbox.pop_front()) else { return };
        self.control.request(stream, &request, self.now);
    }

    fn apply(&mut self, what: u8) {
        let routing = match what % 4 {
            0 => Routing::exclusive(Version::Original),
            1 | 2 => Routing::exclusive(Version::Grayscale),
            _ => Percent::new(50).map_or(Routing::exclusive(Version::Original), Routing::weighted),
        };
        let next = self.applied.as_ref().map_or(2, |(generation, _)| generation.get() + 1);
        let generation = Generation::new(next);
        if self.control.apply(&self.spec, generation, &routing).is_ok() {
            self.applied = Some((generation, routing));
        }
    }

    /// What the control plane says must be true.
    fn judge(&mut self, what: u8) -> Result<(), String> {
        let Some((_, routing)) = self.applied.clone() else { return Ok(()) };
        let Some(survivor) = routing.sole_owner() else { return Ok(()) };
        let loser = survivor.other();
        if !matches!(self.control.confirmed(&self.spec, self.now), Progress::Done(_)) {
            return Ok(());
        }
        if !matches!(self.control.drained(&self.spec, loser, self.now), Progress::Done(_)) {
            return Ok(());
        }
        self.seen.drained += 1;
        self.check_unused(loser)?;
        // Nothing that follows from it is done before it is saved.
        if what < 128 && self.control.retire(&self.spec, loser, self.now).is_ok() && self.control.unsaved().is_none() {
            self.seen.retired += 1;
            self.check_unused(loser)?;
            if survivor == Version::Original {
                // A next release of the same versions.
                self.releases += 1;
                self.spec = spec(self.releases).map_err(|error| error.to_string())?;
                self.applied = None;
            }
        }
        Ok(())
    }

    fn check_unused(&self, version: Version) -> Result<(), String> {
        let cluster = cluster_name(&service_of(&self.spec), self.spec.label(version));
        for (index, node) in self.nodes.iter().enumerate() {
            if node.routes.as_ref().is_some_and(|routes| routes.contains(&cluster)) {
                return Err(format!("{cluster} counts as drained, and envoy-{index} routes to it"));
            }
            if let Some(used) = node.used.get(&cluster).filter(|used| **used + STREAM + settings().grace > self.now) {
                return Err(format!("{cluster} counts as drained, and envoy-{index} routed to it at {used:?}"));
            }
        }
        Ok(())
    }

    fn check_confirmed(&mut self) -> Result<(), String> {
        let Some((generation, routing)) = &self.applied else { return Ok(()) };
        let Progress::Done(witnesses) = self.control.confirmed(&self.spec, self.now) else { return Ok(()) };
        self.seen.confirmed += 1;
        let wanted: BTreeSet<String> = [Version::Original, Version::Grayscale]
            .into_iter()
            .filter(|version| routing.owners().contains(*version))
            .map(|version| cluster_name(&service_of(&self.spec), self.spec.label(version)))
            .collect();
        if witnesses.is_empty() {
            return Err(format!("nobody confirmed generation {generation}"));
        }
        match self.nodes.iter().position(|node| node.routes.as_ref().is_some_and(|routes| *routes != wanted)) {
            // One that was sent nothing else before, and is about to say so.
            None => Ok(()),
            Some(index) => Err(format!("generation {generation} is confirmed, and envoy-{index} does not run it")),
        }
    }

    /// Sends what the control plane wants sent.
    fn send(&mut self) {
        let pushes = self.control.pushes(self.now);
        for push in pushes {
            let to = self.nodes.iter_mut().find(|node| node.stream == Some(push.stream));
            if let Some(node) = to {
                node.inbox.push_back(push);
            }
        }
        let now = self.now;
        for node in &mut self.nodes {
            node.route(None, now);
        }
    }
}

impl Node {
    fn asks(&mut self, kind: Kind, nonce: String, refusal: Option<String>) {
        let names = if kind == Kind::Route { vec![ROUTE.to_owned()] } else { Vec::new() };
        let version = self.versions.get(&kind).cloned().unwrap_or_default();
        self.outbox.push_back(Request { kind, version, nonce, names, refusal });
    }

    /// Routes by what it has until now, and by `next` from now on.
    fn route(&mut self, next: Option<BTreeSet<String>>, now: Moment) {
        for cluster in self.routes.iter().flatten() {
            self.used.insert(cluster.clone(), now);
        }
        self.routes = next.or_else(|| self.routes.take());
    }
}

fn settings() -> Settings {
    Settings::default()
}

fn spec(number: u32) -> Result<ReleaseSpec, ParseError> {
    Ok(ReleaseSpec {
        key: ReleaseKey::parse("mesh-1", "shop", &format!("release-{number}"))?,
        service: "cart".parse()?,
        original: "v1".parse()?,
        grayscale: "v2".parse()?,
    })
}

fn declared(spec: &ReleaseSpec) -> Declared {
    let endpoint = |port| VersionConfig { endpoints: vec![Endpoint { host: "127.0.0.1".to_owned(), port }] };
    Declared {
        name: service_of(spec),
        domains: vec!["*".to_owned()],
        max_stream_duration: STREAM,
        versions: BTreeMap::from([(spec.original.clone(), endpoint(1)), (spec.grayscale.clone(), endpoint(2))]),
        serves: spec.original.clone(),
    }
}
