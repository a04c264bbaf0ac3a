//! What to send next: the newest, and nothing while an answer is owed.

use super::catalogue::{Content, Contents, covers, version};
use super::stream::{Answer, Names, Sent, Stream};
use super::{Armed, Control, Moment, Node, StreamId};
use crate::service::{Kind, Resource, Serves};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A response to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Push {
    /// On which stream.
    pub stream: StreamId,
    /// The type.
    pub kind: Kind,
    /// Its version: the same for the same resources.
    pub version: String,
    /// Its nonce: never the same.
    pub nonce: String,
    /// The resources, each with how long the node may keep it if it hears nothing more.
    pub resources: Vec<(Arc<Resource>, Option<Duration>)>,
}

impl Control {
    /// What is to be sent now.
    pub fn pushes(&mut self, now: Moment) -> Vec<Push> {
        if !self.open {
            return Vec::new();
        }
        self.sweep(now);
        while let Some((_, id)) = self.beats.front().copied().filter(|(at, _)| *at <= now) {
            self.beats.pop_front();
            self.due.insert(id);
        }
        let mut pushes = Vec::new();
        for id in std::mem::take(&mut self.due) {
            for kind in Kind::ALL {
                pushes.extend(self.push(id, kind, now));
            }
        }
        pushes
    }

    /// When [`pushes`](Self::pushes) must be asked for although nothing happens; `None`: never.
    pub fn wake(&self) -> Option<Moment> {
        self.beats.front().map(|(at, _)| *at)
    }

    /// Has what was refused sent again, once.
    pub(super) fn retry_refused(&mut self) {
        let Self { nodes, due, .. } = self;
        for (id, stream) in nodes.values_mut().flat_map(|node| &mut node.streams) {
            for subscription in stream.subscriptions.values_mut() {
                if subscription.refusal().is_some() {
                    subscription.retry = true;
                    due.insert(*id);
                }
            }
        }
    }

    /// Drops the clusters that were kept for nodes which might still route to them.
    fn sweep(&mut self, now: Moment) {
        let Self { nodes, free, lingering, .. } = self;
        let before = lingering.len();
        lingering.retain(|cluster, lingering| {
            if free.get(cluster).is_some_and(|free| *free > now) {
                return true;
            }
            let reaches = |name: &&String| nodes.get(*name).is_some_and(|node| node.may_reach(cluster));
            // Most often it is still the one that was found before.
            let before = lingering.held_by.take().filter(|name| reaches(&name));
            lingering.held_by = before.or_else(|| nodes.keys().find(reaches).cloned());
            lingering.held_by.is_some()
        });
        if lingering.len() < before {
            self.look_at_all();
        }
    }

    fn push(&mut self, id: StreamId, kind: Kind, now: Moment) -> Option<Push> {
        let subscription = self.stream(id)?.subscriptions.get(&kind)?;
        if subscription.outstanding().is_some() {
            return None;
        }
        let names = subscription.names.clone();
        let (contents, ttl) = match kind {
            Kind::Cluster => self.clusters_for(&names),
            // Clusters have their endpoints in place.
            Kind::Endpoints => return None,
            Kind::Route => (self.routes_for(id, &names)?, BTreeMap::new()),
        };
        let beat = self.settings.fence;
        let stream = self.stream_mut(id)?;
        let beats = beat.and_then(|ttl| next_beat(stream, ttl)).is_some_and(|at| at <= now);
        let subscription = stream.subscriptions.get_mut(&kind)?;
        let retry = subscription.retry && subscription.refusal().is_some();
        let needed = match &subscription.sent {
            _ if kind == Kind::Route && contents.is_empty() => false,
            None => true,
            Some(sent) => match kind {
                // All clusters are in each response: what is missing is gone.
                Kind::Cluster => {
                    retry || beats || ttl != sent.ttl || contents.len() != sent.contents.len() || !sent.has(&contents)
                }
                Kind::Endpoints | Kind::Route => retry || !sent.has(&contents),
            },
        };
        if !needed {
            subscription.retry = false;
            return None;
        }
        if kind == Kind::Route && self.hold_back(id, &contents) {
            return None;
        }
        let stream = self.stream_mut(id)?;
        stream.subscriptions.get_mut(&kind)?.retry = false;
        if kind == Kind::Route {
            stream.promised.clear();
            for content in contents.values() {
                stream.holds.sent(content);
            }
        }
        self.newest_nonce += 1;
        let (version, nonce) = (version(kind, &contents), self.newest_nonce.to_string());
        let resources = contents.values().map(|content| {
            let ttl = ttl.get(&content.resource.name).copied();
            (Arc::clone(&content.resource), ttl)
        });
        let push =
            Push { stream: id, kind, version: version.clone(), nonce: nonce.clone(), resources: resources.collect() };
        let node = Arc::clone(self.streams.get(&id)?);
        if kind == Kind::Cluster {
            self.arm(&node, &contents, &ttl, now);
            if let Some(fence) = beat.filter(|_| !ttl.is_empty()) {
                self.beats.push_back((beat_after(now, fence), id));
            }
        }
        let sent = Sent { version, nonce, contents, ttl, at: now, answer: Answer::Outstanding };
        if let Some(subscription) = self.stream_mut(id).and_then(|stream| stream.subscriptions.get_mut(&kind)) {
            subscription.sent = Some(sent);
        }
        self.remember_node(&node);
        Some(push)
    }

    /// Whether it must be saved first that the node of a stream may hold those routes, or what was declared of them.
    fn hold_back(&mut self, id: StreamId, contents: &Contents) -> bool {
        let Some(name) = self.streams.get(&id).cloned() else { return true };
        if let Some(stream) = self.stream_mut(id) {
            stream.promised = contents.keys().cloned().collect();
        }
        self.remember_node(&name);
        let node = self.nodes.get(&*name).map_or(0, |node| node.memory);
        let wait = !self.is_saved(node.max(self.declared_memory));
        if wait {
            self.held_back.insert(id);
        }
        wait
    }

    /// The clusters that a stream is to have, which asked for those.
    fn clusters_for(&mut self, names: &Names) -> (Arc<Contents>, BTreeMap<String, Duration>) {
        let (catalogue, lingering) = (&self.catalogue, &self.lingering);
        let all = self.offered.get_or_insert_with(|| {
            let lingering = lingering.iter().map(|(name, lingering)| (name.clone(), Arc::clone(&lingering.cluster)));
            let served = catalogue.clusters.iter().map(|(name, content)| (name.clone(), Arc::clone(content)));
            Arc::new(lingering.chain(served).collect())
        });
        let mut contents = Arc::clone(all);
        if let Names::These(names) = names {
            Arc::make_mut(&mut contents).retain(|name, _| names.contains(name));
        }
        let mut ttls = BTreeMap::new();
        if let Some(ttl) = self.settings.fence {
            for loser in self.losers() {
                if contents.contains_key(&loser) {
                    ttls.insert(loser, ttl);
                }
            }
        }
        (contents, ttls)
    }

    /// The clusters of versions that have no request any more while their release is open.
    fn losers(&self) -> impl Iterator<Item = String> {
        let open = self.services.values().filter_map(|managed| match &managed.config.serves {
            Serves::Release { original, grayscale, .. } => Some(managed.config.losers(original, grayscale)),
            Serves::One(_) => None,
        });
        open.flatten()
    }

    /// The route configurations that a stream is to have, and can have: those whose clusters it has.
    fn routes_for(&mut self, id: StreamId, names: &Names) -> Option<Arc<Contents>> {
        let Self { streams, nodes, services, catalogue, settings, .. } = self;
        let stream = nodes.get(&**streams.get(&id)?)?.streams.get(&id)?;
        let mut contents = Contents::new();
        for name in names.named() {
            // A node goes on with what it has, unless it is told that there is nothing any more.
            let held = stream.holds.routes.contains_key(name);
            let covered = || services.keys().any(|service| covers(name, service.parts()));
            if held || covered() {
                let configs = services.values().map(|managed| (managed.revision, &managed.config));
                contents.insert(name.clone(), catalogue.route(name, configs));
            }
        }
        if settings.fence.is_some() && !in_step(stream) {
            return None;
        }
        let subscription = stream.subscriptions.get(&Kind::Route)?;
        let settled = !subscription.retry && subscription.sent.as_ref().is_some_and(|sent| sent.has(&contents));
        if !settled {
            contents.retain(|_, content| has_clusters(stream, content));
        }
        Some(Arc::new(contents))
    }

    /// Keeps in mind until when a node can keep which cluster.
    fn arm(&mut self, node: &str, contents: &Contents, ttl: &BTreeMap<String, Duration>, now: Moment) {
        let Some(node) = self.nodes.get_mut(node) else { return };
        for name in contents.keys() {
            if ttl.contains_key(name) {
                let taken = node.armed.get(name).is_some_and(|armed| armed.taken);
                node.armed.insert(name.clone(), Armed { said: now, taken });
            } else {
                node.armed.remove(name);
            }
        }
    }
}

/// Whether the node has taken the newest clusters.
fn in_step(stream: &Stream) -> bool {
    let Some(clusters) = stream.subscriptions.get(&Kind::Cluster) else { return true };
    clusters.sent.as_ref().is_some_and(|sent| sent.answer == Answer::Taken)
}

/// Whether the node has the clusters of the content: for certain, and after what was sent to it last too. One that does not
/// get its clusters from here is not asked; `validate_clusters` makes it refuse routes to a cluster that it lacks.
fn has_clusters(stream: &Stream, content: &Content) -> bool {
    let Some(clusters) = stream.subscriptions.get(&Kind::Cluster) else { return true };
    let (Some(known), Some(sent)) = (&stream.clusters, &clusters.sent) else { return content.resource.uses.is_empty() };
    let has = |cluster: &String| known.contains_key(cluster) && sent.contents.contains_key(cluster);
    content.resource.uses.iter().all(has)
}

/// When the clusters are to be sent again so that none of them ends.
fn next_beat(stream: &Stream, ttl: Duration) -> Option<Moment> {
    let sent = stream.subscriptions.get(&Kind::Cluster)?.sent.as_ref()?;
    // Also after a refusal: what the node had taken before would end.
    (!sent.ttl.is_empty() && sent.answer != Answer::Outstanding).then(|| beat_after(sent.at, ttl))
}

/// When what was sent at that moment is to be sent again: two of three may be lost on the way.
fn beat_after(sent: Moment, ttl: Duration) -> Moment {
    sent + ttl / 3
}

impl Control {
    /// When the node drops the cluster unless it hears of it again; `None` if it was not told to.
    ///
    /// One that is connected does not count, however silent it is: the clock of a process that is stopped stands still, and
    /// its workers go on by what they have when it goes on. (Nor could two nodes of the same name be told apart.)
    pub(super) fn fence_end(&self, node: &Node, cluster: &str) -> Option<Moment> {
        let ttl = self.settings.fence?;
        let cut_off = !node.duplicate && node.streams.is_empty();
        let armed = node.armed.get(cluster).filter(|armed| armed.taken && cut_off)?;
        Some(armed.said + ttl + self.settings.grace + FENCE_MARGIN)
    }
}

/// How long what was sent to a node can be on its way.
const FENCE_MARGIN: Duration = Duration::from_secs(1);
