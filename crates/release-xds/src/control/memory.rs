//! What must outlive a restart.

use crate::service::{Serves, ServiceName};
use release_core::{Generation, ReleaseKey, VersionLabel};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What must outlive a restart of the control plane: which nodes may still route by what they were given, and what each
/// service serves under which fence.
///
/// What is durable before what: see [`Control`](super::Control). As JSON, in one line for each change, of which the last
/// counts:
///
/// ```json
/// {"v1":{"lost":false,"nodes":{"envoy-1":["mesh-1"]},
///  "services":[{"name":{"mesh":"mesh-1","namespace":"shop","service":"cart"},"declared":"v1","serves":{"one":"v2"},
///    "release":{"key":{"mesh":"mesh-1","namespace":"shop","id":"3f2a"},"generation":5,"retired":"v1","cleared":true},
///    "closed":[],"retired":["v1"],"longestStream":15000}]}}
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Memory {
    /// There was no memory at a start although releases were open, so nodes that are cut off may not be known: nothing is
    /// drained until an operator has brought the file back, or has seen to it that no such node is left, set this to `false`
    /// and started the control plane again.
    pub lost: bool,
    /// The nodes that were ever sent routes, by the names of the route configurations that they may still hold.
    pub nodes: BTreeMap<String, BTreeSet<String>>,
    /// The services.
    pub services: Vec<Remembered>,
}

/// What is remembered of a service.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Remembered {
    /// The service.
    pub name: ServiceName,
    /// The version that the operator said serves, the last time that was read. When it changes, the operator wants that.
    pub declared: VersionLabel,
    /// What it serves.
    pub serves: Serves,
    /// The newest release of it.
    pub release: Option<Fence>,
    /// Earlier releases, the newest last: nothing is done for them any more.
    pub closed: Vec<ReleaseKey>,
    /// The versions that releases retired.
    pub retired: BTreeSet<VersionLabel>,
    /// The longest that a request by any of its routes can take, in milliseconds.
    #[serde(with = "millis")]
    pub longest_stream: Duration,
}

/// The newest release of a service, and how far it got.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fence {
    /// The release.
    pub key: ReleaseKey,
    /// The newest generation that was applied: older ones are refused.
    pub generation: Generation,
    /// The version that lost, once it is being retired: nothing brings it back in this release.
    pub retired: Option<VersionLabel>,
    /// Whether its workloads are gone too.
    pub cleared: bool,
}

mod millis {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};
    use std::time::Duration;

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}
