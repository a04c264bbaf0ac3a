//! What Envoy is given, to be read by people, and what holds for all of it.

use super::*;
use crate::service::{Endpoint, Kind, Serves, ServiceName, VersionConfig, cluster_name};
use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::envoy::config::route::v3::RouteConfiguration;
use envoy_types::pb::envoy::config::route::v3::route::Action;
use proptest::prelude::*;
use prost::Message as _;
use release_core::{Version, VersionLabel};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

#[test]
fn routes_for_people() {
    let routing = |policy| serde_json::from_value(policy).unwrap();
    let release = |name, routing| {
        let serves = Serves::Release { original: label("v1"), grayscale: label("v2"), routing };
        service(name, &["127.0.0.1"], serves)
    };
    let rules = json!([
        [
            {"header": {"name": "x-group", "value": {"exact": "beta"}}},
            {"header": {"name": "host", "value": {"regex": "(?i)cart\\..+"}}},
            {"query": {"name": "preview", "value": {"exact": "1"}}},
        ],
        [{"cookie": {"name": "user", "value": {"regex": "^[0-9]+7$"}}}, {"query": {"name": "q", "value": {"regex": "a|b"}}}],
        [{"operatingSystem": "android"}, {"browser": "chrome"}],
        [{"header": {"name": "x-token", "value": {"regex": "[0-9a-f]{64}"}}}],
        [{"cookie": {"name": "user", "value": {"exact": "a;b"}}}],
    ]);
    let services = [
        service("alone", &["127.0.0.1"], Serves::One(label("v1"))),
        release("ended", Routing::exclusive(Version::Grayscale)),
        release("shared", routing(json!({"weighted": {"grayscale": 20}}))),
        release("by-content", routing(json!({"content": rules}))),
    ];
    let resource = route("release-routes", &services.iter().collect::<Vec<_>>());
    insta::assert_snapshot!(readable(&configuration(&resource)));
}

#[test]
fn clusters_for_people() {
    let by_address = service("cart", &["10.0.0.1", "fd00::1"], Serves::One(label("v1")));
    let by_name = service("search", &["search-v1.shop", "10.0.0.1"], Serves::One(label("v1")));
    let resources = clusters(&by_address).into_iter().chain(clusters(&by_name).into_iter().take(1));
    let texts: Vec<_> = resources.map(|resource| readable(&Cluster::decode(&*resource.body.value).unwrap())).collect();
    insta::assert_snapshot!(texts.join("\n"));
}

proptest! {
    #[test]
    fn every_route_is_bound_in_time_and_the_last_takes_every_request(routing: Routing, millis in 1_u64..1_000_000) {
        let serves = Serves::Release { original: label("v1"), grayscale: label("v2"), routing: routing.clone() };
        let mut service = service("cart", &["127.0.0.1"], serves);
        service.max_stream_duration = Duration::from_millis(millis);
        let resource = route("r", &[&service]);
        let configuration = configuration(&resource);
        prop_assert_eq!(configuration.validate_clusters.map(|flag| flag.value), Some(true));
        let routes = &configuration.virtual_hosts.first().unwrap().routes;
        for route in routes {
            let Some(Action::Route(action)) = &route.action else { panic!("{route:?}") };
            let most = action.max_stream_duration.as_ref().and_then(|limits| limits.max_stream_duration).unwrap();
            let most = u64::try_from(most.seconds).unwrap() * 1_000 + u64::try_from(most.nanos).unwrap() / 1_000_000;
            prop_assert_eq!(most, millis);
            prop_assert_eq!(action.timeout.map(|timeout| (timeout.seconds, timeout.nanos)), Some((0, 0)));
        }
        let last = routes.last().and_then(|route| route.r#match.as_ref()).unwrap();
        prop_assert!(last.headers.is_empty() && last.query_parameters.is_empty());
    }

    #[test]
    fn a_version_that_owns_no_request_is_named_nowhere(routing: Routing) {
        let serves = Serves::Release { original: label("v1"), grayscale: label("v2"), routing: routing.clone() };
        let service = service("cart", &["127.0.0.1"], serves);
        let resource = route("r", &[&service]);
        let names = [(Version::Original, "v1"), (Version::Grayscale, "v2")];
        for (version, name) in names {
            let cluster = cluster_name(&service.name, &label(name));
            let named = resource.body.value.windows(cluster.len()).any(|bytes| bytes == cluster.as_bytes());
            prop_assert_eq!(resource.uses.contains(&cluster), named);
            // Rules that no request can match leave the grayscale version without requests.
            prop_assert!(!named || routing.owners().contains(version));
        }
        prop_assert!(!resource.uses.is_empty());
        prop_assert_eq!(route("r", &[&service]), resource, "the same service gives the same bytes");
    }
}

#[test]
fn rules_that_can_not_be_told_are_refused() {
    let refused = |condition| {
        let routing: Routing = serde_json::from_value(json!({"content": [[condition]]})).unwrap();
        check(&routing).unwrap_err().to_string()
    };
    let header = |name: &str| json!({"header": {"name": name, "value": {"exact": "1"}}});
    let cookie = json!({"cookie": {"name": "user", "value": {"regex": "(a|$)+"}}});
    let texts = [refused(header("X-Request-Id")), refused(header("x-envoy-retry-on")), refused(cookie)];
    insta::assert_snapshot!(texts.join("\n"), @r#"
    Envoy does not show its router the header "x-request-id" as it was sent: no rule can be about it
    Envoy does not show its router the header "x-envoy-retry-on" as it was sent: no rule can be about it
    Envoy can't be told the regular expression "(a|$)+": ^ and $ can't be repeated in the regular expression of a cookie
    "#);
}

fn service(name: &str, hosts: &[&str], serves: Serves) -> ServiceConfig {
    let endpoints = |port| hosts.iter().map(|host| Endpoint { host: (*host).to_owned(), port }).collect();
    let version = |name, port| (label(name), VersionConfig { endpoints: endpoints(port) });
    ServiceConfig {
        name: ServiceName {
            mesh: "mesh-1".parse().unwrap(),
            namespace: "shop".parse().unwrap(),
            service: name.parse().unwrap(),
        },
        domains: vec![format!("{name}.shop"), format!("{name}.shop:*")],
        max_stream_duration: Duration::from_millis(15_500),
        versions: BTreeMap::from([version("v1", 8081), version("v2", 8082)]),
        serves,
    }
}

fn label(label: &str) -> VersionLabel {
    label.parse().unwrap()
}

fn configuration(resource: &Resource) -> RouteConfiguration {
    assert_eq!((resource.kind, resource.body.type_url.as_str()), (Kind::Route, Kind::Route.type_url()));
    RouteConfiguration::decode(&*resource.body.value).unwrap()
}

/// What is set, its structure shown by indentation alone.
fn readable(message: &impl std::fmt::Debug) -> String {
    let unset = ["None,", "[],", "{},", "\"\",", "false,", "0,"];
    let text = format!("{message:#?}");
    let set = text.lines().filter(|line| !unset.iter().any(|value| line.ends_with(&format!(": {value}"))));
    let opened = set.map(|line| line.trim_end_matches(['(', '[', '{', ' ', ',']));
    let said = opened.filter(|line| !matches!(line.trim(), "}" | ")" | "]" | ""));
    let lines = said.map(|line| {
        let depth = (line.len() - line.trim_start().len()) / 4;
        " ".repeat(depth) + &line.trim_start().replace(": Some", ":")
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}
