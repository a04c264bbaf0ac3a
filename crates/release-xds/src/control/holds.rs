//! What a node may route by.

use super::catalogue::{Content, covers};
use crate::service::ServiceName;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The most contents that are told apart; a node that refuses more than that in a row may route by anything.
const TOLD_APART: usize = 16;

/// What a node may route by: more than it does, and never less.
#[derive(Clone, Debug, Default)]
pub(super) struct Holds {
    /// It lived before it was known, and has not said yet which route configurations it has.
    pub(super) anything: bool,
    /// Its route configurations.
    pub(super) routes: BTreeMap<String, Hold>,
}

/// What a node may have as one route configuration.
#[derive(Clone, Debug, Default)]
pub(super) struct Hold {
    /// Something from before.
    pub(super) unknown: bool,
    /// Whether it ever confirmed one of the contents.
    pub(super) confirmed: bool,
    pub(super) contents: Vec<Arc<Content>>,
}

/// How a node stands to a revision of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It has no route to the service.
    Apart,
    /// It routes by that revision or a newer one, and said so.
    Confirmed,
    /// It may route by an older one.
    Behind,
}

impl Holds {
    /// Something from before, for each of the names.
    pub(super) fn remembered(names: &BTreeSet<String>) -> Self {
        let hold = Hold { unknown: true, ..Hold::default() };
        Self { anything: false, routes: names.iter().map(|name| (name.clone(), hold.clone())).collect() }
    }

    /// The node says which route configurations it has, or is about to have.
    pub(super) fn subscribed(&mut self, names: &BTreeSet<String>) {
        self.routes.retain(|name, _| names.contains(name));
        if std::mem::take(&mut self.anything) {
            for name in names {
                self.routes.entry(name.clone()).or_default().unknown = true;
            }
        }
    }

    /// The content is sent to the node: from now on it may route by it.
    pub(super) fn sent(&mut self, content: &Arc<Content>) {
        let hold = self.routes.entry(content.resource.name.clone()).or_default();
        if hold.contents.iter().any(|held| held.id == content.id) {
            return;
        }
        if hold.contents.len() == TOLD_APART {
            hold.contents.clear();
            hold.unknown = true;
        }
        hold.contents.push(Arc::clone(content));
    }

    /// The node says that it routes by the content.
    pub(super) fn confirmed(&mut self, content: &Arc<Content>) {
        let hold = Hold { unknown: false, confirmed: true, contents: vec![Arc::clone(content)] };
        self.routes.insert(content.resource.name.clone(), hold);
    }

    /// All that this and the other one allow.
    pub(super) fn join(&mut self, other: &Self) {
        self.anything |= other.anything;
        for (name, theirs) in &other.routes {
            let hold = self.routes.entry(name.clone()).or_default();
            hold.unknown |= theirs.unknown;
            hold.confirmed |= theirs.confirmed;
            for content in &theirs.contents {
                if hold.contents.iter().all(|held| held.id != content.id) {
                    hold.contents.push(Arc::clone(content));
                }
            }
        }
    }

    /// The same, but nothing of it was confirmed: what a stream inherits from the one before it.
    pub(super) fn unconfirmed(mut self) -> Self {
        for hold in self.routes.values_mut() {
            hold.confirmed = false;
        }
        self
    }

    /// The names of its route configurations.
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.routes.keys()
    }

    /// The content that the node confirmed last of those of that name, unless that was on another stream.
    pub(super) fn last_confirmed(&self, name: &str) -> Option<&Arc<Content>> {
        // What was sent since then comes after it.
        self.routes.get(name).filter(|hold| hold.confirmed && !hold.unknown)?.contents.first()
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.anything && self.routes.is_empty()
    }

    /// How the node stands to a revision of a service.
    pub(super) fn standing(&self, service: &ServiceName, revision: u64) -> Standing {
        if self.anything {
            return Standing::Behind;
        }
        let mut standing = Standing::Apart;
        for hold in self.routes.iter().filter(|(name, _)| covers(name, service.parts())).map(|(_, hold)| hold) {
            let newest = |content: &Arc<Content>| content.revisions.get(service).is_some_and(|held| *held >= revision);
            if hold.unknown || !hold.confirmed || !hold.contents.iter().all(newest) {
                return Standing::Behind;
            }
            standing = Standing::Confirmed;
        }
        standing
    }

    /// The clusters of the contents, without what is unknown.
    pub(super) fn clusters(&self) -> impl Iterator<Item = &String> {
        self.routes.values().flat_map(|hold| &hold.contents).flat_map(|content| content.reaches.keys())
    }

    /// The services to which something unknown may route, of those.
    pub(super) fn in_doubt<'a>(&self, services: impl Iterator<Item = &'a ServiceName>) -> Vec<&'a ServiceName> {
        let unknown: Vec<_> = self.routes.iter().filter(|(_, hold)| hold.unknown).map(|(name, _)| name).collect();
        services.filter(|service| self.anything || unknown.iter().any(|name| covers(name, service.parts()))).collect()
    }

    /// Whether it may route to the cluster.
    pub(super) fn may_reach(&self, cluster: &str) -> bool {
        if self.anything || self.clusters().any(|held| held == cluster) {
            return true;
        }
        let owner = || cluster.rsplit_once('/').map_or("", |(owner, _)| owner).split('/');
        self.routes.iter().any(|(name, hold)| hold.unknown && covers(name, owner()))
    }
}
