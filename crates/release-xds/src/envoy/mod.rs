//! What a service is in Envoy's own words: route configurations and clusters. Pure: the same service always gives the same
//! bytes.
//!
//! Tried on Envoy 1.40; `tests/` asks a real one for thousands of requests and policies. Of those of a request's headers that
//! must not be repeated (`user-agent`, `authorization`, `content-type` and the like), Envoy sees several as one, with a comma
//! between the values. Over HTTP/2, several cookie headers are one, with `; ` between them, also for a rule about the header.

mod cluster;
mod condition;
mod expression;
mod header;
mod route;
#[cfg(test)]
mod tests;

use crate::service::{Resource, ServiceConfig};
use envoy_types::pb::google::protobuf::Duration;
use release_core::{HeaderName, Pattern, Routing, RoutingKind};

/// The route configuration of that name, with a virtual host for each of `services`, in their order.
///
/// - Which version serves which request is what [`ServiceConfig::serves`] says, exactly as
///   [`Routing::owner`](release_core::Routing::owner) defines it. [`check`] says which rules can't be told to Envoy; no request
///   matches them, so the original version serves what they are about.
/// - `validate_clusters` is set: an Envoy that does not have a cluster of these routes refuses them, instead of answering 503.
/// - Every route has `max_stream_duration` of [`ServiceConfig::max_stream_duration`]: the drain relies on it. It is the only
///   limit: the 15 seconds that Envoy gives a request otherwise are off.
/// - [`Resource::uses`] names every cluster that a request can be given to, and no other.
pub fn route(name: &str, services: &[&ServiceConfig]) -> Resource {
    route::configuration(name, services)
}

/// The clusters of all versions of a service, named by [`cluster_name`](crate::service::cluster_name), each with its
/// endpoints in place.
pub fn clusters(service: &ServiceConfig) -> Vec<Resource> {
    service.versions.iter().map(|(label, version)| cluster::resource(&service.name, label, version)).collect()
}

pub(crate) fn duration(duration: std::time::Duration) -> Duration {
    Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or_default(),
    }
}

/// Whether Envoy can be told all rules of `routing`: to be asked before it is applied. Exclusive routings and ratios always
/// can, so a takeover is never refused.
///
/// ```
/// use release_core::Routing;
/// use release_xds::envoy;
///
/// let by_header = |name: &str| -> Result<Routing, serde_json::Error> {
///     serde_json::from_value(serde_json::json!({"content": [[{"header": {"name": name, "value": {"exact": "beta"}}}]]}))
/// };
/// assert!(envoy::check(&by_header("x-group")?).is_ok());
/// let refused = envoy::check(&by_header("x-envoy-internal")?).unwrap_err().to_string();
/// assert_eq!(refused, "Envoy does not show its router the header \"x-envoy-internal\" as it was sent: no rule can be about it");
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn check(routing: &Routing) -> Result<(), Unsupported> {
    match routing.kind() {
        RoutingKind::Exclusive(_) | RoutingKind::Weighted(_) => Ok(()),
        RoutingKind::Content(rules) => rules.iter().try_for_each(|rule| condition::matchers(rule).map(|_| ())),
    }
}

/// A rule that Envoy can't be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// Envoy changes, removes or sets that header before it looks for a route.
    #[error("Envoy does not show its router the header {:?} as it was sent: no rule can be about it", .0.as_str())]
    Header(HeaderName),
    /// That regular expression, for the reason given.
    #[error("Envoy can't be told the regular expression {0:?}: {1}")]
    Expression(Pattern, String),
}
