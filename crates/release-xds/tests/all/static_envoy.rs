//! An Envoy that has its routes and clusters from files: the translation alone, without a control plane.

use envoy_types::pb::envoy::service::discovery::v3::DiscoveryResponse;
use prost::Message as _;
use release_core::{Request, Routing, Version, VersionLabel};
use release_testkit::envoy::{Bootstrap, EnvoyProcess, RawClient, RawResponse, Source, Upstream, VERSION_HEADER};
use release_xds::envoy;
use release_xds::service::{Endpoint, Kind, Resource, Serves, ServiceConfig, ServiceName, VersionConfig};
use std::collections::BTreeMap;
use std::time::Duration;
use tempfile::TempDir;

/// An Envoy with a service for each of some routings.
pub(crate) struct StaticEnvoy {
    pub(crate) envoy: EnvoyProcess,
    _upstreams: [Upstream; 2],
    _files: TempDir,
}

impl StaticEnvoy {
    pub(crate) async fn start(routings: &[Routing]) -> Self {
        let upstreams = [Upstream::start("v1").await.unwrap(), Upstream::start("v2").await.unwrap()];
        let services: Vec<_> = (0..).zip(routings).map(|(at, routing)| service(at, routing, &upstreams)).collect();
        let files = tempfile::tempdir().unwrap();
        let write = |name, kind: Kind, resources: Vec<Resource>| {
            let resources = resources.into_iter().map(|resource| resource.body).collect();
            let type_url = kind.type_url().to_owned();
            let response = DiscoveryResponse { version_info: "1".into(), resources, type_url, ..Default::default() };
            std::fs::write(files.path().join(name), response.encode_to_vec()).unwrap();
        };
        write("clusters.pb", Kind::Cluster, services.iter().flat_map(envoy::clusters).collect());
        write("routes.pb", Kind::Route, vec![envoy::route("routes", &services.iter().collect::<Vec<_>>())]);
        let source = Source::Files(files.path().to_owned());
        let envoy = EnvoyProcess::start(&Bootstrap::new("static", "routes", source)).await.unwrap();
        Self { envoy, _upstreams: upstreams, _files: files }
    }
}

fn service(at: usize, routing: &Routing, upstreams: &[Upstream; 2]) -> ServiceConfig {
    let [original, grayscale]: [VersionLabel; 2] = ["v1", "v2"].map(|label| label.parse().unwrap());
    let version = |upstream: &Upstream| {
        let (host, port) = (upstream.address().ip().to_string(), upstream.address().port());
        VersionConfig { endpoints: vec![Endpoint { host, port }] }
    };
    let [first, second] = upstreams;
    ServiceConfig {
        name: ServiceName {
            mesh: "mesh-1".parse().unwrap(),
            namespace: "shop".parse().unwrap(),
            service: format!("s{at}").parse().unwrap(),
        },
        domains: vec![domain(at)],
        max_stream_duration: Duration::from_secs(10),
        versions: BTreeMap::from([(original.clone(), version(first)), (grayscale.clone(), version(second))]),
        serves: Serves::Release { original, grayscale, routing: routing.clone() },
    }
}

/// The domain of a routing's service.
pub(crate) fn domain(at: usize) -> String {
    format!("s{at}.test")
}

/// A request as HTTP/1.1 carries it, byte by byte; its headers must include `host`.
pub(crate) fn http1(request: &Request) -> Vec<u8> {
    let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
    let lines = request.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
    format!("GET /{query} HTTP/1.1\r\n{}\r\n", lines.collect::<String>()).into_bytes()
}

/// Which version answered.
pub(crate) fn answered(response: &RawResponse) -> Result<Version, String> {
    match response.header(VERSION_HEADER) {
        Some("v1") => Ok(Version::Original),
        Some("v2") => Ok(Version::Grayscale),
        _ => Err(format!("{} {}", response.status, String::from_utf8_lossy(&response.body))),
    }
}

pub(crate) async fn connect(envoy: &StaticEnvoy) -> RawClient {
    RawClient::connect(envoy.envoy.address()).await.unwrap()
}
