//! An Envoy that has its routes and clusters from files: the translation alone, without a control plane.

use bytes::Bytes;
use envoy_types::pb::envoy::service::discovery::v3::DiscoveryResponse;
use http::{HeaderName, HeaderValue, Uri};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message as _;
use release_core::{Request, Routing, Version, VersionLabel};
use release_testkit::envoy::{Bootstrap, EnvoyProcess, RawClient, RawResponse, Source, Upstream, VERSION_HEADER};
use release_xds::envoy;
use release_xds::service::{Endpoint, Kind, Resource, Serves, ServiceConfig, ServiceName, VersionConfig};
use std::collections::BTreeMap;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpStream;

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
        max_stream_duration: Duration::from_mins(1),
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

/// The same as HTTP/2 carries it, where the host is no header and a cookie header may be several; `None` if the client can't
/// send it. `splits`: whether a cookie header is split at its next semicolon.
pub(crate) fn http2(request: &Request, mut splits: impl FnMut() -> bool) -> Option<http::Request<Empty<Bytes>>> {
    let host = request.headers.iter().find(|(name, _)| name == "host")?;
    let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
    let uri: Uri = format!("http://{}/{query}", host.1).parse().ok()?;
    // What is printed otherwise would be another request.
    let mut sent = (uri.path_and_query()?.as_str() == format!("/{query}")).then(|| http::Request::new(Empty::new()))?;
    *sent.uri_mut() = uri;
    for (name, value) in request.headers.iter().filter(|(name, _)| name != "host") {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        let mut crumbs = vec![String::new()];
        for part in value.split_inclusive("; ") {
            crumbs.last_mut()?.push_str(part);
            if name == http::header::COOKIE && part.ends_with("; ") && splits() {
                let whole = crumbs.last_mut()?;
                whole.truncate(whole.len() - "; ".len());
                crumbs.push(String::new());
            }
        }
        for crumb in crumbs {
            // HTTP/1.1 does not count blanks around a value, HTTP/2 has none.
            let value = HeaderValue::from_bytes(crumb.trim_matches([' ', '\t']).as_bytes()).ok()?;
            sent.headers_mut().append(&name, value);
        }
    }
    Some(sent)
}

/// A connection that speaks HTTP/2.
pub(crate) struct Http2Client(http2::SendRequest<Empty<Bytes>>);

impl Http2Client {
    pub(crate) async fn connect(envoy: &StaticEnvoy) -> Self {
        let stream = TcpStream::connect(envoy.envoy.address()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (client, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        // Ends when the client does.
        tokio::spawn(connection);
        Self(client)
    }

    pub(crate) async fn send(&mut self, request: http::Request<Empty<Bytes>>) -> Result<RawResponse, hyper::Error> {
        let (head, body) = self.0.send_request(request).await?.into_parts();
        let headers = head
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
        let (status, headers) = (head.status.as_u16(), headers.collect());
        Ok(RawResponse { status, headers, body: body.collect().await?.to_bytes().to_vec() })
    }
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
