//! How far a step is.

use super::holds::Standing;
use super::releases::service_of;
use super::stream::Answer;
use super::{Control, Moment, NodeState};
use crate::service::{Kind, ServiceName, cluster_name};
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
        let losers: Vec<String> = [&spec.original, &spec.grayscale]
            .into_iter()
            .filter(|label| !managed.config.serves.owners().contains(label))
            .map(|label| cluster_name(&name, label))
            .collect();
        let (mut confirmed, mut fenced, mut waiting) = (Vec::new(), 0, Waiting::default());
        for (id, node) in &self.nodes {
            match self.standing(id, &name, managed.revision) {
                Standing::Apart => continue,
                Standing::Confirmed if !node.duplicate => {
                    confirmed.push(id.clone());
                    continue;
                }
                Standing::Confirmed | Standing::Behind => {}
            }
            if !losers.is_empty() && losers.iter().all(|loser| self.fenced(id, loser, now)) {
                fenced += 1;
                continue;
            }
            if let Some(reason) = self.refusal(id) {
                return Progress::Refused { node: id.clone(), reason: reason.to_owned() };
            }
            let fence = losers.iter().map(|loser| self.fence_end(id, loser)).collect::<Option<Vec<_>>>();
            let end = fence.and_then(|ends| ends.into_iter().max()).filter(|end| *end > now);
            waiting.until = earlier(waiting.until, end);
            waiting.blockers.push(self.blocker(id));
        }
        waiting.confirmed = confirmed.len();
        let enough = !confirmed.is_empty() && confirmed.len() + fenced >= self.settings.min_nodes;
        if waiting.blockers.is_empty() && enough { Progress::Done(confirmed) } else { Progress::Waiting(waiting) }
    }

    /// Whether no request to a version of the release can be under way any more.
    pub fn drained(&self, spec: &ReleaseSpec, version: Version, now: Moment) -> Progress<Drained> {
        let (name, label) = (service_of(spec), spec.label(version));
        let cluster = cluster_name(&name, label);
        let longest = self.services.get(&name).map(|managed| managed.remembered.longest_stream).unwrap_or_default();
        let wait = self.settings.grace + longest;
        // What was before the start is not known, but that it is over by then.
        let mut free = self.free.get(&cluster).copied().unwrap_or_default().max(self.started + wait);
        let (mut waiting, mut fenced) = (Waiting::default(), 0);
        for id in self.nodes.keys().filter(|id| self.may_reach(id, &cluster)) {
            match self.fence_end(id, &cluster) {
                Some(end) if end <= now => {
                    fenced += 1;
                    free = free.max(end + wait);
                }
                end => {
                    waiting.until = earlier(waiting.until, end);
                    waiting.blockers.push(self.blocker(id));
                }
            }
        }
        waiting.lost = self.memory.lost;
        if waiting.lost || !waiting.blockers.is_empty() {
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

    /// The requests in progress to a cluster, by the newest load reports.
    pub(super) fn in_progress(&self, cluster: &str) -> u64 {
        self.loads.values().filter_map(|loads| loads.get(cluster)).sum()
    }

    /// Whether the cluster of a version that was retired is gone from every node that is connected.
    pub fn withdrawn(&self, spec: &ReleaseSpec, version: Version) -> Progress<()> {
        let cluster = cluster_name(&service_of(spec), spec.label(version));
        let mut waiting = Waiting::default();
        for stream in self.streams.values() {
            let Some(clusters) = stream.subscriptions.get(&Kind::Cluster) else { continue };
            match &clusters.sent {
                Some(sent) if !sent.contents.contains_key(&cluster) && sent.answer == Answer::Taken => {}
                // It takes what it lacks from what it is sent first.
                None => {}
                Some(sent) => {
                    if let Answer::Refused(reason) = &sent.answer {
                        return Progress::Refused { node: stream.node.clone(), reason: reason.clone() };
                    }
                    waiting.blockers.push(self.blocker(&stream.node));
                }
            }
        }
        if waiting.blockers.is_empty() { Progress::Done(()) } else { Progress::Waiting(waiting) }
    }

    fn standing(&self, node: &str, service: &ServiceName, revision: u64) -> Standing {
        let mut standing = Standing::Apart;
        for holds in self.holds_of(node) {
            match holds.standing(service, revision) {
                Standing::Apart => {}
                Standing::Confirmed => standing = Standing::Confirmed,
                Standing::Behind => return Standing::Behind,
            }
        }
        standing
    }

    fn blocker(&self, id: &str) -> Blocker {
        let node = self.nodes.get(id);
        let obstacle = match node.map(|node| self.state(id, node)) {
            _ if node.is_some_and(|node| node.duplicate) => Obstacle::Duplicate,
            Some(NodeState::Silent(since)) => Obstacle::Silent(since),
            Some(NodeState::CutOff(since)) => Obstacle::CutOff(since),
            Some(NodeState::Connected) | None => Obstacle::Behind,
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
