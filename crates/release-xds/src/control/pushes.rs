//! What to send next: the newest, and nothing while an answer is owed.

use super::catalogue::{Content, Contents, covers, version};
use super::holds::Holds;
use super::stream::{Answer, Names, Sent, Stream};
use super::{Armed, Control, Moment, StreamId};
use crate::service::{Kind, Resource, Serves, cluster_name};
use std::collections::{BTreeMap, BTreeSet};
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
    pub resources: Vec<(Resource, Option<Duration>)>,
}

impl Control {
    /// What is to be sent now. The memory must be saved, if it has changed, before that is done.
    pub fn pushes(&mut self, now: Moment) -> Vec<Push> {
        if !self.open {
            return Vec::new();
        }
        self.sweep(now);
        let mut due = std::mem::take(&mut self.due);
        if let Some(ttl) = self.settings.fence {
            let beating = self.streams.iter().filter(|(_, stream)| next_beat(stream, ttl).is_some_and(|at| at <= now));
            due.extend(beating.map(|(id, _)| *id));
        }
        let mut pushes = Vec::new();
        for id in due {
            for kind in Kind::ALL {
                pushes.extend(self.push(id, kind, now));
            }
        }
        pushes
    }

    /// When [`pushes`](Self::pushes) must be asked for although nothing happens; `None`: never.
    pub fn wake(&self) -> Option<Moment> {
        let ttl = self.settings.fence?;
        self.streams.values().filter_map(|stream| next_beat(stream, ttl)).min()
    }

    /// Has what was refused sent again, once.
    pub(super) fn retry_refused(&mut self) {
        for (id, stream) in &mut self.streams {
            for subscription in stream.subscriptions.values_mut() {
                if subscription.refusal().is_some() {
                    subscription.retry = true;
                    self.due.insert(*id);
                }
            }
        }
    }

    /// Drops the clusters that were kept for nodes which might still route to them.
    fn sweep(&mut self, now: Moment) {
        if self.lingering.is_empty() {
            return;
        }
        let reached = |cluster: &str| self.nodes.keys().any(|id| self.holds_of(id).any(|held| held.may_reach(cluster)));
        let free = |cluster: &str| self.free.get(cluster).is_none_or(|free| *free <= now);
        let over: Vec<String> =
            self.lingering.keys().filter(|cluster| free(cluster) && !reached(cluster)).cloned().collect();
        for cluster in &over {
            self.lingering.remove(cluster);
        }
        if !over.is_empty() {
            self.look_at_all();
        }
    }

    fn push(&mut self, id: StreamId, kind: Kind, now: Moment) -> Option<Push> {
        let (names, ready) = {
            let subscription = self.streams.get(&id)?.subscriptions.get(&kind)?;
            (subscription.names.clone(), subscription.outstanding().is_none())
        };
        if !ready {
            return None;
        }
        let (contents, ttl) = match kind {
            Kind::Cluster => self.clusters_for(&names),
            // Clusters have their endpoints in place.
            Kind::Endpoints => return None,
            Kind::Route => (self.routes_for(id, &names)?, BTreeMap::new()),
        };
        let beat = self.settings.fence;
        let stream = self.streams.get_mut(&id)?;
        let beats = beat.and_then(|ttl| next_beat(stream, ttl)).is_some_and(|at| at <= now);
        let subscription = stream.subscriptions.get_mut(&kind)?;
        let retry = std::mem::take(&mut subscription.retry);
        let needed = match &subscription.sent {
            None => kind == Kind::Cluster || !contents.is_empty(),
            Some(sent) => {
                let refused = matches!(sent.answer, Answer::Refused(_));
                let same = |(name, content): (&String, &Arc<Content>)| {
                    sent.contents.get(name).is_some_and(|known| known.id == content.id)
                };
                let news = match kind {
                    // All clusters are in each response: what is missing is gone.
                    Kind::Cluster => {
                        contents.len() != sent.contents.len() || !contents.iter().all(same) || ttl != sent.ttl || beats
                    }
                    Kind::Endpoints | Kind::Route => !contents.iter().all(same),
                };
                news || (retry && refused)
            }
        };
        if !needed {
            return None;
        }
        self.newest_nonce += 1;
        let (version, nonce) = (version(kind, &contents), self.newest_nonce.to_string());
        if kind == Kind::Route {
            for content in contents.values() {
                stream.holds.sent(content);
            }
        }
        let resources = contents.values().map(|content| {
            let resource = content.resource.clone();
            let ttl = ttl.get(&resource.name).copied();
            (resource, ttl)
        });
        let push =
            Push { stream: id, kind, version: version.clone(), nonce: nonce.clone(), resources: resources.collect() };
        let node = stream.node.clone();
        if kind == Kind::Cluster {
            self.arm(&node, &contents, &ttl, now);
        }
        let sent = Sent { version, nonce, contents, ttl, at: now, answer: Answer::Outstanding };
        if let Some(subscription) = self.streams.get_mut(&id).and_then(|stream| stream.subscriptions.get_mut(&kind)) {
            subscription.sent = Some(sent);
        }
        self.remember_node(&node);
        Some(push)
    }

    /// The clusters that a stream is to have, which asked for those.
    fn clusters_for(&self, names: &Names) -> (Contents, BTreeMap<String, Duration>) {
        let mut contents = self.lingering.clone();
        contents.extend(self.catalogue.clusters.clone());
        contents.retain(|name, _| names.contain(name));
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
        self.services.values().filter_map(|managed| match &managed.config.serves {
            Serves::Release { original, grayscale, routing } => {
                let loser = match routing.sole_owner()? {
                    release_core::Version::Original => grayscale,
                    release_core::Version::Grayscale => original,
                };
                Some(cluster_name(&managed.config.name, loser))
            }
            Serves::One(_) => None,
        })
    }

    /// The route configurations that a stream is to have, and can have: those whose clusters it has.
    fn routes_for(&mut self, id: StreamId, names: &Names) -> Option<Contents> {
        let stream = self.streams.get(&id)?;
        let services: BTreeSet<_> = self.services.keys().collect();
        let mut contents = Contents::new();
        for name in names.named() {
            let covered = services.iter().any(|service| covers(name, service));
            // A node goes on with what it has, unless it is told that there is nothing any more.
            if !covered && !stream.holds.routes.contains_key(name) {
                continue;
            }
            let configs = self.services.values().map(|managed| (managed.revision, &managed.config));
            let content = self.catalogue.route(name, configs);
            if self.settings.fence.is_some() && !in_step(stream) {
                continue;
            }
            if has_clusters(stream, &content) {
                contents.insert(name.clone(), content);
            }
        }
        Some(contents)
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
    let sent = clusters.sent.as_ref();
    let has = |cluster: &String| {
        stream.clusters.as_ref().is_some_and(|known| known.contains(cluster))
            && sent.is_some_and(|sent| sent.contents.contains_key(cluster))
    };
    content.resource.uses.iter().all(has)
}

/// When the clusters are to be sent again so that none of them ends.
fn next_beat(stream: &Stream, ttl: Duration) -> Option<Moment> {
    let sent = stream.subscriptions.get(&Kind::Cluster)?.sent.as_ref()?;
    // Also after a refusal: what the node had taken before would end.
    (!sent.ttl.is_empty() && sent.answer != Answer::Outstanding).then(|| sent.at + ttl / 3)
}

impl Control {
    /// Whether the node has dropped the cluster by now, because it heard nothing for too long.
    pub(super) fn fenced(&self, node: &str, cluster: &str, now: Moment) -> bool {
        self.fence_end(node, cluster).is_some_and(|end| end <= now)
    }

    /// When the node drops the cluster unless it hears of it again; `None` if it was not told to.
    ///
    /// One that is connected does not count, however silent it is: the clock of a process that is stopped stands still, and
    /// its workers go on by what they have when it goes on. (Nor could two nodes of the same name be told apart.)
    pub(super) fn fence_end(&self, node: &str, cluster: &str) -> Option<Moment> {
        let (ttl, known) = (self.settings.fence?, self.nodes.get(node)?);
        let cut_off = !known.duplicate && self.streams.values().all(|stream| stream.node != node);
        let armed = known.armed.get(cluster).filter(|armed| armed.taken && cut_off)?;
        Some(armed.said + ttl + self.settings.grace + FENCE_MARGIN)
    }

    /// What a node may route by: all its streams and what is left of earlier ones.
    pub(super) fn may_reach(&self, node: &str, cluster: &str) -> bool {
        self.holds_of(node).any(|holds: &Holds| holds.may_reach(cluster))
    }
}

/// How long what was sent to a node can be on its way.
const FENCE_MARGIN: Duration = Duration::from_secs(1);
