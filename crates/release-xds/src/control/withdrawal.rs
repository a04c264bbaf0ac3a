//! How far the cluster of a version that was retired is from gone.

use super::memory::Memory;
use super::releases::service_of;
use super::stream::{Answer, Stream};
use super::{Control, Moment, Node, Progress, StreamId, Waiting};
use crate::service::{Kind, cluster_name};
use release_core::{ReleaseSpec, Version};
use std::collections::{BTreeMap, BTreeSet};

/// That nodes are to drop a cluster.
#[derive(Debug)]
pub(super) struct Withdrawal {
    /// The streams on which it was said that it is dropped.
    by: BTreeSet<StreamId>,
    /// When that was last said; at first, when the withdrawal began.
    last: Moment,
}

impl Withdrawal {
    pub(super) fn new(now: Moment) -> Self {
        Self { by: BTreeSet::new(), last: now }
    }

    /// Those that had begun when that was saved. Who has dropped what by then is not known.
    pub(super) fn remembered(memory: &Memory, now: Moment) -> BTreeMap<String, Self> {
        let begun = memory.services.iter().filter_map(|service| {
            let fence = service.release.as_ref().filter(|fence| !fence.cleared)?;
            Some((cluster_name(&service.name, fence.retired.as_ref()?), Self::new(now)))
        });
        begun.collect()
    }
}

impl Control {
    /// Whether no node uses the cluster of a version that was retired any more: every one that is connected has said that it
    /// dropped it, and then the [grace](super::Settings::grace) has passed, because that is what its main thread says.
    ///
    /// The workers that were late when they got their routes are so again if the machine stood still since then, however long.
    /// They take in the new routes before they drop the cluster, and a request that they give to it until then is answered.
    pub fn withdrawn(&self, spec: &ReleaseSpec, version: Version, now: Moment) -> Progress<()> {
        let name = service_of(spec);
        let cluster = cluster_name(&name, spec.label(version));
        let unsaved = self.services.get(&name).is_some_and(|managed| !self.is_saved(managed.memory));
        let mut waiting = Waiting { unsaved, ..Waiting::default() };
        for (id, node) in &self.nodes {
            match node.dropped(&cluster) {
                Ok(true) => {}
                Ok(false) => waiting.blockers.push(node.blocker(id)),
                Err(reason) => {
                    return Progress::Refused { node: id.clone(), services: Vec::new(), reason: reason.to_owned() };
                }
            }
        }
        if waiting.blockers.is_empty() {
            let end = self.withdrawals.get(&cluster).map(|withdrawal| withdrawal.last + self.settings.grace);
            waiting.until = end.filter(|end| *end > now);
            if waiting.until.is_none() && !unsaved {
                return Progress::Done(());
            }
        }
        Progress::Waiting(waiting)
    }

    /// Whether [`withdrawn`](Self::withdrawn) still waits for that node.
    pub fn has_cluster(&self, spec: &ReleaseSpec, version: Version, node: &str) -> bool {
        let cluster = cluster_name(&service_of(spec), spec.label(version));
        self.nodes.get(node).is_some_and(|node| node.dropped(&cluster) == Ok(false))
    }

    /// On that stream something was said about clusters.
    pub(super) fn drops(&mut self, id: StreamId, now: Moment) {
        let Self { streams, nodes, withdrawals, .. } = self;
        let stream = streams.get(&id).and_then(|name| nodes.get(&**name)?.streams.get(&id));
        let Some(stream) = stream else { return };
        for (cluster, withdrawal) in withdrawals {
            if stream.goes_on_without(cluster) && withdrawal.by.insert(id) {
                withdrawal.last = now;
            }
        }
    }
}

impl Node {
    /// Whether the cluster is gone from all its streams; an error is why it refused that.
    fn dropped(&self, cluster: &str) -> Result<bool, &str> {
        for stream in self.streams.values() {
            if !stream.dropped(cluster)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Stream {
    /// Whether the cluster is gone from it; an error is why that was refused.
    fn dropped(&self, cluster: &str) -> Result<bool, &str> {
        // What it has not asked for it does not have, and it takes what it lacks from what it is sent first.
        let Some(sent) = self.subscriptions.get(&Kind::Cluster).and_then(|known| known.sent.as_ref()) else {
            return Ok(true);
        };
        match &sent.answer {
            Answer::Taken => Ok(!sent.contents.contains_key(cluster)),
            Answer::Refused(reason) => Err(reason),
            Answer::Outstanding => Ok(false),
        }
    }

    /// Whether its node has said that it goes on without the cluster.
    fn goes_on_without(&self, cluster: &str) -> bool {
        let clusters = self.subscriptions.get(&Kind::Cluster);
        clusters.is_some_and(|known| known.sent.is_some()) && self.dropped(cluster) == Ok(true)
    }
}
