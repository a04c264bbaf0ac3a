//! What a service wants served: the seam between what decides (`control`, `mesh`) and what speaks Envoy (`envoy`).

use envoy_types::pb::google::protobuf::Any;
use release_core::{MeshId, Namespace, Routing, Service, Version, VersionLabel};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

/// Which service: one of a namespace of a mesh. Printed as `mesh-1/shop/cart`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceName {
    /// The mesh.
    pub mesh: MeshId,
    /// The namespace.
    pub namespace: Namespace,
    /// The service in it.
    pub service: Service,
}

impl ServiceName {
    /// Its mesh, its namespace and itself, as they are joined by slashes in names of clusters and of route configurations.
    pub(crate) fn parts(&self) -> [&str; 3] {
        [self.mesh.as_str(), self.namespace.as_str(), self.service.as_str()]
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.mesh, self.namespace, self.service)
    }
}

/// The name of the cluster of one version of a service, for example `mesh-1/shop/cart/v2`.
pub fn cluster_name(service: &ServiceName, version: &VersionLabel) -> String {
    format!("{service}/{version}")
}

/// What a service wants served at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceConfig {
    /// The service.
    pub name: ServiceName,
    /// The domains of its virtual host, as Envoy matches them (`cart.shop`, `*.shop`, `cart.shop:8080`): never empty, and
    /// `*` where everything is meant.
    pub domains: Vec<String>,
    /// How long a request may take from its first to its last byte, filters and retries included. Longer ones are cut off
    /// by Envoy. Never zero.
    pub max_stream_duration: Duration,
    /// Its versions: at least those that [`serves`](Self::serves) names.
    pub versions: BTreeMap<VersionLabel, VersionConfig>,
    /// Which version serves which request.
    pub serves: Serves,
}

impl ServiceConfig {
    /// The clusters of those of the two versions that no request can reach.
    pub(crate) fn losers<'a>(
        &'a self,
        original: &'a VersionLabel,
        grayscale: &'a VersionLabel,
    ) -> impl Iterator<Item = String> + 'a {
        let owners = self.serves.owners();
        let lost = [original, grayscale].into_iter().filter(move |label| !owners.contains(label));
        lost.map(|label| cluster_name(&self.name, label))
    }
}

/// A version of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionConfig {
    /// Where it listens: an IP address or a host name, each with a port.
    pub endpoints: Vec<Endpoint>,
}

/// An address of a version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// An IP address (IPv6 without brackets) or a host name.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// `host:port`, an IPv6 address in brackets.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, port) = (&self.host, self.port);
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// Which version serves which request.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Serves {
    /// One version alone: there is no release, or none that was ever applied.
    One(VersionLabel),
    /// Two versions, as a release divides the requests between them.
    Release {
        /// The label of the original version.
        original: VersionLabel,
        /// The label of the grayscale version.
        grayscale: VersionLabel,
        /// Which of the two serves which request.
        routing: Routing,
    },
}

impl Serves {
    /// The labels of the versions that a request can reach.
    pub fn owners(&self) -> BTreeSet<&VersionLabel> {
        match self {
            Self::One(label) => BTreeSet::from([label]),
            Self::Release { original, grayscale, routing } => {
                let labels = [(Version::Original, original), (Version::Grayscale, grayscale)];
                labels
                    .into_iter()
                    .filter_map(|(version, label)| routing.owners().contains(version).then_some(label))
                    .collect()
            }
        }
    }
}

/// The types of resources, in the order in which an Envoy must get new ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `envoy.config.cluster.v3.Cluster`
    Cluster,
    /// `envoy.config.endpoint.v3.ClusterLoadAssignment`
    Endpoints,
    /// `envoy.config.route.v3.RouteConfiguration`
    Route,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Cluster, Self::Endpoints, Self::Route];

    /// The type as xDS names it.
    pub fn type_url(self) -> &'static str {
        match self {
            Self::Cluster => "type.googleapis.com/envoy.config.cluster.v3.Cluster",
            Self::Endpoints => "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
            Self::Route => "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
        }
    }

    /// The kind of that type.
    pub fn of(type_url: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.type_url() == type_url)
    }
}

/// A resource as an Envoy gets it.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// Its type.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// The message: its `type_url` is that of the kind.
    pub body: Any,
    /// Of a route configuration, the clusters that it can give a request to; else empty.
    pub uses: BTreeSet<String>,
}

impl Resource {
    /// A resource that uses no other.
    pub fn new(kind: Kind, name: &str, body: Any) -> Self {
        Self { kind, name: name.to_owned(), body, uses: BTreeSet::new() }
    }
}
