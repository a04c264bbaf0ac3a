//! How far a step is.

use super::holds::Standing;
use super::releases::service_of;
use super::{Control, Moment, Node, NodeState};
use crate::service::{ServiceName, cluster_name};
use release_core::{ReleaseSpec, Version};

/// How far a step is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress<T> {
    /// It is done.
    Done(T),
    /// A node refused its newest configuration, for this reason: it won't be done by waiting.
    Refused {
        /// The node.
        node: String,
        /// The services whose routes it refused: those that are not as it confirmed them last. Empty if it refused clusters.
        services: Vec<ServiceName>,
        /// Its reason, shortened and without values of the configuration.
        reason: String,
    },
    /// It needs time.
    Waiting(Waiting),
}

/// What a step waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// How many nodes have confirmed the routing.
    pub confirmed: usize,
    /// The nodes that have not.
    pub blockers: Vec<Blocker>,
    /// The requests in progress to the version, by the load reports.
    pub in_progress: u64,
    /// Which nodes there were is not known: see [`Memory::lost`](super::Memory::lost).
    pub lost: bool,
    /// What has led to it is not [saved](Control::saved) yet.
    pub unsaved: bool,
    /// When to look again although nothing happens.
    pub until: Option<Moment>,
}

/// A node that a step waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocker {
    /// The node.
    pub node: String,
    /// Why it does not say what is waited for.
    pub obstacle: Obstacle,
}

/// Why a node does not say what is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// It is connected and was sent all it asked for, but it has not asked for, or taken, what is waited for.
    Behind,
    /// It is connected and owes an answer since then.
    Silent(Moment),
    /// It has been cut off since then.
    CutOff(Moment),
    /// Two processes call themselves that.
    Duplicate,
}

/// Why a version is known to be drained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drained {
    /// How many nodes are known.
    pub nodes: usize,
    /// How many of those count as fenced: they may have old routes, but no cluster to go with them.
    pub fenced: usize,
    /// From when on no request to the version could be under way.
    pub free: Moment,
    /// The requests in progress by the last load report before that, which the limit has cut off.
    pub cut_off: u64,
    /// Whether there are load reports.
    pub reports: bool,
}

/// How old a load report may be, at the moment a version is free, to say what was cut off then.
const LOAD_AGE: std::time::Duration = std::time::Duration::from_secs(3);

impl Control {
    /// Whether every node that can route to the service runs what it serves now, and who they are.
    pub fn confirmed(&self, spec: &ReleaseSpec, now: Moment) -> Progress<Vec<String>> {
        let name = service_of(spec);
        let Some(managed) = self.services.get(&name) else { return Progress::Waiting(Waiting::default()) };
        let losers: Vec<String> = managed.config.losers(&spec.original, &spec.grayscale).collect();
        let (mut confirmed, mut fenced, mut waiting) = (Vec::new(), 0, Waiting::default());
        for (id, node) in &self.nodes {
            match node.standing(&name, managed.revision) {
                Standing::Apart => continue,
                Standing::Confirmed => {
                    confirmed.push(id);
                    continue;
                }
                Standing::Behind => {}
            }
            let fence = losers.iter().map(|loser| self.fence_end(node, loser)).collect::<Option<Vec<_>>>();
            let fence = fence.and_then(|ends| ends.into_iter().max());
            if fence.is_some_and(|end| end <= now) {
                fenced += 1;
                continue;
            }
            if let Some(reason) = node.refusal() {
                let services = node.refused().into_iter().cloned().collect();
                return Progress::Refused { node: id.clone(), services, reason: reason.to_owned() };
            }
            waiting.until = earlier(waiting.until, fence);
            waiting.blockers.push(node.blocker(id));
        }
        waiting.confirmed = confirmed.len();
        let enough = !confirmed.is_empty() && confirmed.len() + fenced >= self.settings.min_nodes;
        waiting.unsaved = !self.is_saved(managed.memory);
        if waiting.blockers.is_empty() && enough && !waiting.unsaved {
            Progress::Done(confirmed.into_iter().cloned().collect())
        } else {
            Progress::Waiting(waiting)
        }
    }

    /// Whether [`confirmed`](Self::confirmed) still waits for that node, unless its fence has run out.
    pub fn is_behind(&self, spec: &ReleaseSpec, node: &str) -> bool {
        let name = service_of(spec);
        let (Some(managed), Some(node)) = (self.services.get(&name), self.nodes.get(node)) else { return false };
        node.standing(&name, managed.revision) == Standing::Behind
    }

    /// Whether no request to a version of the release can be under way any more.
    pub fn drained(&self, spec: &ReleaseSpec, version: Version, now: Moment) -> Progress<Drained> {
        let (name, label) = (service_of(spec), spec.label(version));
        let cluster = cluster_name(&name, label);
        let managed = self.services.get(&name);
        let longest = managed.map(|managed| managed.remembered.longest_stream).unwrap_or_default();
        let wait = self.settings.grace + longest;
        // What was before the start is not known, but that it is over by then.
        let mut free = self.free.get(&cluster).copied().unwrap_or_default().max(self.started + wait);
        let (mut waiting, mut fenced) = (Waiting::default(), 0);
        for (id, node) in self.nodes.iter().filter(|(_, node)| node.may_reach(&cluster)) {
            match self.fence_end(node, &cluster) {
                Some(end) if end <= now => {
                    fenced += 1;
                    free = free.max(end + wait);
                }
                end => {
                    waiting.until = earlier(waiting.until, end);
                    waiting.blockers.push(node.blocker(id));
                }
            }
        }
        waiting.lost = self.memory.lost;
        waiting.unsaved = managed.is_some_and(|managed| !self.is_saved(managed.memory));
        if waiting.lost || waiting.unsaved || !waiting.blockers.is_empty() {
            return Progress::Waiting(waiting);
        }
        waiting.in_progress = self.in_progress(&cluster);
        if free > now {
            return Progress::Waiting(Waiting { until: Some(free), ..waiting });
        }
        if waiting.in_progress > 0 {
            return Progress::Waiting(waiting);
        }
        let last = self.last_load.get(&cluster).filter(|(_, at)| *at + LOAD_AGE >= free);
        Progress::Done(Drained {
            nodes: self.nodes.len(),
            fenced,
            free,
            cut_off: last.map_or(0, |(count, _)| *count),
            reports: !self.loads.is_empty(),
        })
    }

    /// Whether [`drained`](Self::drained) still waits for that node, unless its fence has run out.
    pub fn may_route(&self, spec: &ReleaseSpec, version: Version, node: &str) -> bool {
        let cluster = cluster_name(&service_of(spec), spec.label(version));
        self.nodes.get(node).is_some_and(|node| node.may_reach(&cluster))
    }

    /// The requests in progress to a cluster, by the newest load reports.
    pub(super) fn in_progress(&self, cluster: &str) -> u64 {
        self.loads.values().filter_map(|loads| loads.get(cluster)).sum()
    }
}

impl Node {
    /// How it stands to a revision of a service; two of one name never confirm anything.
    fn standing(&self, service: &ServiceName, revision: u64) -> Standing {
        let mut standing = Standing::Apart;
        for holds in self.holds() {
            match holds.standing(service, revision) {
                Standing::Apart => {}
                Standing::Confirmed if !self.duplicate => standing = Standing::Confirmed,
                Standing::Confirmed | Standing::Behind => return Standing::Behind,
            }
        }
        standing
    }

    pub(super) fn blocker(&self, id: &str) -> Blocker {
        let obstacle = match self.state() {
            _ if self.duplicate => Obstacle::Duplicate,
            NodeState::Silent(since) => Obstacle::Silent(since),
            NodeState::CutOff(since) => Obstacle::CutOff(since),
            NodeState::Connected => Obstacle::Behind,
        };
        Blocker { node: id.to_owned(), obstacle }
    }
}

fn earlier(one: Option<Moment>, other: Option<Moment>) -> Option<Moment> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
