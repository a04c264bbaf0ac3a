//! A mesh that exists in this process only, and a data plane in front of it, to try things out.

use super::handler::Handler;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use release_core::{MeshId, Namespace, ReleaseSpec, ReleaseTask, Report, Service, Step, Version};
use release_engine::Mesh;
use release_http::Body;
use release_testkit::SimulatedMesh;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How many proxies each release has.
const PROXIES: u8 = 2;

/// The simulated mesh, which remembers what was released last of each service.
#[derive(Clone)]
pub(super) struct Simulated {
    mesh: SimulatedMesh,
    newest: Arc<Mutex<Newest>>,
}

/// The newest release of each service.
type Newest = BTreeMap<(MeshId, Namespace, Service), ReleaseSpec>;

impl Simulated {
    /// A mesh in which each step takes that long.
    pub(super) fn new(lag: Duration) -> Self {
        Self { mesh: SimulatedMesh::new(PROXIES).with_lag(lag), newest: Arc::default() }
    }

    fn note(&self, spec: &ReleaseSpec) {
        let service = (spec.key.mesh.clone(), spec.key.namespace.clone(), spec.service.clone());
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).insert(service, spec.clone());
    }

    /// What answers the requests of the data plane.
    pub(super) fn handler(&self) -> Handler {
        let mesh = self.clone();
        Arc::new(move |request, _| {
            let response = mesh.route(&request);
            Box::pin(std::future::ready(response))
        })
    }

    fn route(&self, request: &Request<Incoming>) -> Response<Body> {
        let Some(spec) = self.addressed(request.headers()) else {
            let why = "no release of this service: set Host to SERVICE.NAMESPACE, and create a release of it first\n";
            return answer(StatusCode::NOT_FOUND, why.into(), None);
        };
        let draw = fastrand::u8(..100);
        let served = self.mesh.release(&spec.key).map(|mesh| mesh.serve(&as_the_core_sees(request, draw)));
        let proxy = fastrand::usize(..usize::from(PROXIES));
        match served.map(|served| served.map(|served| served.get(proxy).map(|(_, version)| *version))) {
            Some(Ok(Some(version))) => {
                let label = match version {
                    Version::Original => &spec.original,
                    Version::Grayscale => &spec.grayscale,
                };
                answer(
                    StatusCode::OK,
                    format!("{} {label}\n", spec.service),
                    HeaderValue::from_str(label.as_str()).ok(),
                )
            }
            Some(Err(violation)) => answer(StatusCode::SERVICE_UNAVAILABLE, format!("{violation}\n"), None),
            Some(Ok(None)) | None => answer(StatusCode::SERVICE_UNAVAILABLE, "no proxy yet\n".into(), None),
        }
    }

    /// The release that a request is for: by its `Host`, or the only one there is.
    fn addressed(&self, headers: &HeaderMap) -> Option<ReleaseSpec> {
        let host = headers.get(http::header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let mut labels = host.split([':', '.']);
        let (service, namespace) = (labels.next().unwrap_or_default(), labels.next().unwrap_or_default());
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let mut named = newest.values().filter(|spec| {
            spec.service.as_str() == service && (namespace.is_empty() || spec.key.namespace.as_str() == namespace)
        });
        let only = || newest.values().next().filter(|_| newest.len() == 1);
        named.next().or_else(only).cloned()
    }
}

/// A request, as far as routing looks at it.
fn as_the_core_sees(request: &Request<Incoming>, draw: u8) -> release_core::Request {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    release_core::Request {
        headers: request.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        draw,
    }
}

fn answer(status: StatusCode, text: String, version: Option<HeaderValue>) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    if let Some(version) = version {
        response.headers_mut().insert(HeaderName::from_static("x-version"), version);
    }
    response
}

impl Mesh for Simulated {
    async fn perform(&self, spec: &ReleaseSpec, step: &Step) -> Report {
        let report = self.mesh.perform(spec, step).await;
        // Until the proxies know of a release, the one before it goes on serving.
        if self.mesh.release(&spec.key).is_some() {
            self.note(spec);
        }
        report
    }

    async fn restore(&self, tasks: &[ReleaseTask]) {
        for task in tasks {
            self.note(task.spec());
        }
        self.mesh.restore(tasks).await;
    }
}
