//! Clusters: one for each version of a service.

use crate::service::{Endpoint, Kind, Resource, ServiceName, VersionConfig, cluster_name};
use envoy_types::pb::envoy::config::cluster::v3::circuit_breakers::Thresholds;
use envoy_types::pb::envoy::config::cluster::v3::cluster::{ClusterDiscoveryType, DiscoveryType, DnsLookupFamily};
use envoy_types::pb::envoy::config::cluster::v3::{CircuitBreakers, Cluster};
use envoy_types::pb::envoy::config::core::v3::socket_address::PortSpecifier;
use envoy_types::pb::envoy::config::core::v3::{Address, SocketAddress, address};
use envoy_types::pb::envoy::config::endpoint::v3::lb_endpoint::HostIdentifier;
use envoy_types::pb::envoy::config::endpoint::v3::{
    ClusterLoadAssignment, Endpoint as EnvoyEndpoint, LbEndpoint, LocalityLbEndpoints,
};
use envoy_types::pb::google::protobuf::{Any, Duration, UInt32Value};
use prost::Message as _;
use release_core::VersionLabel;
use std::net::IpAddr;

/// The cluster of a version, its endpoints in place: a version and where it listens come and go together.
pub(super) fn resource(service: &ServiceName, label: &VersionLabel, version: &VersionConfig) -> Resource {
    let name = cluster_name(service, label);
    let by_name = version.endpoints.iter().any(|endpoint| endpoint.host.parse::<IpAddr>().is_err());
    let discovery = if by_name { DiscoveryType::StrictDns } else { DiscoveryType::Static };
    let cluster = Cluster {
        name: name.clone(),
        connect_timeout: Some(Duration { seconds: 5, nanos: 0 }),
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(discovery.into())),
        dns_lookup_family: DnsLookupFamily::V4Preferred.into(),
        load_assignment: Some(load_assignment(&name, &version.endpoints)),
        circuit_breakers: Some(no_limits()),
        ..Cluster::default()
    };
    Resource::new(
        Kind::Cluster,
        &name,
        Any { type_url: Kind::Cluster.type_url().to_owned(), value: cluster.encode_to_vec() },
    )
}

fn load_assignment(name: &str, endpoints: &[Endpoint]) -> ClusterLoadAssignment {
    let lb_endpoints = endpoints.iter().map(lb_endpoint).collect();
    ClusterLoadAssignment {
        cluster_name: name.to_owned(),
        endpoints: vec![LocalityLbEndpoints { lb_endpoints, ..LocalityLbEndpoints::default() }],
        ..ClusterLoadAssignment::default()
    }
}

fn lb_endpoint(endpoint: &Endpoint) -> LbEndpoint {
    let socket = SocketAddress {
        address: endpoint.host.clone(),
        port_specifier: Some(PortSpecifier::PortValue(endpoint.port.into())),
        ..SocketAddress::default()
    };
    let address = Address { address: Some(address::Address::SocketAddress(socket)) };
    let endpoint = EnvoyEndpoint { address: Some(address), ..EnvoyEndpoint::default() };
    LbEndpoint { host_identifier: Some(HostIdentifier::Endpoint(endpoint)), ..LbEndpoint::default() }
}

/// Envoy's own limit of 1,024 requests at once would answer 503 to some while a takeover moves all traffic to one version.
fn no_limits() -> CircuitBreakers {
    let most = Some(UInt32Value { value: u32::MAX });
    let thresholds =
        Thresholds { max_connections: most, max_pending_requests: most, max_requests: most, ..Thresholds::default() };
    CircuitBreakers { thresholds: vec![thresholds], ..CircuitBreakers::default() }
}
