//! Between the messages of the protocol and the words of the control plane.

use crate::control::{Push, Request};
use crate::envoy::duration;
use crate::service::{Kind, Resource};
use envoy_types::pb::envoy::service::discovery::v3::{self as discovery, DiscoveryRequest, DiscoveryResponse};
use envoy_types::pb::google::protobuf::Any;
use prost::Message as _;
use std::time::Duration;

/// The request; `None` if it is about a type that is not served here.
pub(super) fn request(message: DiscoveryRequest) -> Option<Request> {
    Some(Request {
        kind: Kind::of(&message.type_url)?,
        version: message.version_info,
        nonce: message.response_nonce,
        names: message.resource_names,
        refusal: message.error_detail.map(|detail| detail.message),
    })
}

pub(super) fn response(push: Push) -> DiscoveryResponse {
    let Push { kind, version, nonce, resources, .. } = push;
    let resources = resources.into_iter().map(|(resource, ttl)| match ttl {
        None => resource.body.clone(),
        Some(ttl) => wrapped(&resource, &version, ttl),
    });
    DiscoveryResponse {
        resources: resources.collect(),
        version_info: version,
        type_url: kind.type_url().to_owned(),
        nonce,
        ..DiscoveryResponse::default()
    }
}

/// A resource that is to be dropped when nothing is heard of it for that long.
fn wrapped(resource: &Resource, version: &str, ttl: Duration) -> Any {
    let wrapped = discovery::Resource {
        name: resource.name.clone(),
        version: version.to_owned(),
        resource: Some(resource.body.clone()),
        ttl: Some(duration(ttl)),
        ..discovery::Resource::default()
    };
    Any {
        type_url: "type.googleapis.com/envoy.service.discovery.v3.Resource".to_owned(),
        value: wrapped.encode_to_vec(),
    }
}
