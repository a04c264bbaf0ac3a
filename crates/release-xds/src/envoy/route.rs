//! Route configurations.

use super::condition::{self, Matchers};
use super::duration;
use crate::service::{Kind, Resource, Serves, ServiceConfig, cluster_name};
use envoy_types::pb::envoy::config::route::v3::route::Action;
use envoy_types::pb::envoy::config::route::v3::route_action::{ClusterSpecifier, MaxStreamDuration};
use envoy_types::pb::envoy::config::route::v3::route_match::PathSpecifier;
use envoy_types::pb::envoy::config::route::v3::weighted_cluster::ClusterWeight;
use envoy_types::pb::envoy::config::route::v3::{
    Route, RouteAction, RouteConfiguration, RouteMatch, VirtualHost, WeightedCluster,
};
use envoy_types::pb::google::protobuf::{Any, BoolValue, Duration, UInt32Value};
use prost::Message as _;
use release_core::{Percent, RoutingKind, Version, VersionLabel};
use std::collections::BTreeSet;

pub(super) fn configuration(name: &str, services: &[&ServiceConfig]) -> Resource {
    let configuration = RouteConfiguration {
        name: name.to_owned(),
        virtual_hosts: services.iter().map(|service| virtual_host(service)).collect(),
        validate_clusters: Some(BoolValue { value: true }),
        ..RouteConfiguration::default()
    };
    let uses = configuration.virtual_hosts.iter().flat_map(|host| &host.routes).flat_map(targets).collect();
    let body = Any { type_url: Kind::Route.type_url().to_owned(), value: configuration.encode_to_vec() };
    Resource { uses, ..Resource::new(Kind::Route, name, body) }
}

fn virtual_host(service: &ServiceConfig) -> VirtualHost {
    VirtualHost {
        name: service.name.to_string(),
        domains: service.domains.clone(),
        routes: routes(service),
        ..VirtualHost::default()
    }
}

/// The first that matches a request serves it; the last matches every request.
fn routes(service: &ServiceConfig) -> Vec<Route> {
    let all = |label: &VersionLabel| vec![route(service, "all", Matchers::default(), to(service, label))];
    match &service.serves {
        Serves::One(label) => all(label),
        Serves::Release { original, grayscale, routing } => match routing.kind() {
            RoutingKind::Exclusive(Version::Original) => all(original),
            RoutingKind::Exclusive(Version::Grayscale) => all(grayscale),
            RoutingKind::Weighted(share) => {
                let target = shared(service, [(original, share.rest()), (grayscale, share)]);
                vec![route(service, "ratio", Matchers::default(), target)]
            }
            RoutingKind::Content(rules) => {
                let matchers = rules.iter().map(condition::matchers);
                let mut routes: Vec<_> = (1..)
                    .zip(matchers)
                    // What can't be told to Envoy was to be refused before; what can't be matched needs no route.
                    .filter_map(|(number, matchers)| Some((number, matchers.ok()??)))
                    .map(|(number, matchers)| {
                        route(service, &format!("rule-{number}"), matchers, to(service, grayscale))
                    })
                    .collect();
                routes.push(route(service, "rest", Matchers::default(), to(service, original)));
                routes
            }
        },
    }
}

/// `name`: shown in Envoy's access logs.
fn route(service: &ServiceConfig, name: &str, matchers: Matchers, target: ClusterSpecifier) -> Route {
    let Matchers { headers, query_parameters } = matchers;
    let path_specifier = Some(PathSpecifier::Prefix("/".to_owned()));
    Route {
        name: name.to_owned(),
        r#match: Some(RouteMatch { path_specifier, headers, query_parameters, ..RouteMatch::default() }),
        action: Some(Action::Route(RouteAction {
            cluster_specifier: Some(target),
            timeout: Some(Duration::default()),
            max_stream_duration: Some(MaxStreamDuration {
                max_stream_duration: Some(duration(service.max_stream_duration)),
                ..MaxStreamDuration::default()
            }),
            ..RouteAction::default()
        })),
        ..Route::default()
    }
}

fn to(service: &ServiceConfig, label: &VersionLabel) -> ClusterSpecifier {
    ClusterSpecifier::Cluster(cluster_name(&service.name, label))
}

fn shared(service: &ServiceConfig, shares: [(&VersionLabel, Percent); 2]) -> ClusterSpecifier {
    let clusters = shares.map(|(label, share)| ClusterWeight {
        name: cluster_name(&service.name, label),
        weight: Some(UInt32Value { value: share.get().into() }),
        ..ClusterWeight::default()
    });
    ClusterSpecifier::WeightedClusters(WeightedCluster { clusters: clusters.into(), ..WeightedCluster::default() })
}

fn targets(route: &Route) -> BTreeSet<String> {
    let Some(Action::Route(action)) = &route.action else { return BTreeSet::new() };
    match &action.cluster_specifier {
        Some(ClusterSpecifier::Cluster(name)) => BTreeSet::from([name.clone()]),
        Some(ClusterSpecifier::WeightedClusters(shares)) => {
            shares.clusters.iter().map(|share| share.name.clone()).collect()
        }
        _ => BTreeSet::new(),
    }
}
