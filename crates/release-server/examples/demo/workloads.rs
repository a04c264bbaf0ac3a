//! The versions of the service, as real servers: one that is retired is really gone.

use anyhow::Result;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use release_testkit::envoy::Upstream;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

/// The servers by version, and a webhook that ends them.
pub(crate) struct Workloads {
    running: Shared,
    webhook: SocketAddr,
    _listening: AbortOnDropHandle<()>,
}

type Shared = Arc<Mutex<BTreeMap<String, Upstream>>>;

impl Workloads {
    pub(crate) async fn start(versions: &[&str]) -> Result<Self> {
        let mut upstreams = BTreeMap::new();
        for version in versions {
            upstreams.insert((*version).to_owned(), Upstream::start(version).await?);
        }
        let running: Shared = Arc::new(Mutex::new(upstreams));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let webhook = listener.local_addr()?;
        let listening = AbortOnDropHandle::new(tokio::spawn(listen(listener, Arc::clone(&running))));
        Ok(Self { running, webhook, _listening: listening })
    }

    /// What the server is told about them.
    pub(crate) fn services_file(&self, host: &str) -> String {
        let mut text = format!(
            "[[service]]\nmesh = \"mesh-1\"\nnamespace = \"shop\"\nname = \"cart\"\ndomains = [\"{host}\"]\nserves = \"v1\"\n\
             max-stream-seconds = 3\nhealth-path = \"/health\"\nretire-webhook = \"http://{}/retire\"\n[service.versions]\n",
            self.webhook
        );
        for (version, upstream) in &*self.running.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = writeln!(text, "{version} = [\"{}\"]", upstream.address());
        }
        text
    }
}

async fn listen(listener: TcpListener, running: Shared) {
    while let Ok((stream, _)) = listener.accept().await {
        let running = Arc::clone(&running);
        let service = service_fn(move |request| retire(request, Arc::clone(&running)));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

/// Ends the server of a version; once more is no mistake.
async fn retire(request: Request<Incoming>, running: Shared) -> hyper::Result<Response<Empty<Bytes>>> {
    let body = request.into_body().collect().await?.to_bytes();
    let facts: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut response = Response::new(Empty::new());
    match facts.get("version").and_then(Value::as_str) {
        Some(version) => drop(running.lock().unwrap_or_else(PoisonError::into_inner).remove(version)),
        None => *response.status_mut() = StatusCode::BAD_REQUEST,
    }
    Ok(response)
}
