//! A request in, a response out: the API, and what those who run the server ask for.

use super::api::EngineApi;
use super::body::TimedBody;
use super::config::{Authentication, Options};
use super::exchange::{self, Exchange};
use super::metrics::{self, Counted, Metrics};
use super::nodes;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use release_core::{Error, ReleaseKey};
use release_engine::{Engine, EngineError, Mesh, Store};
use release_http::{Body, Codes, OPENAPI, Problem, ProblemKind, ReleaseService, RequestIds};
use release_xds::{EnvoyMesh, NotServing};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Answers requests of a peer; the same for all connections.
pub(super) type Handler = Arc<dyn Fn(Request<Incoming>, SocketAddr) -> Answer + Send + Sync>;

/// The answer to come.
pub(super) type Answer = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// What requests are answered with.
pub(super) struct Backend<S, M> {
    pub(super) engine: Engine<S, M>,
    /// The mesh, if it is one of Envoys.
    pub(super) envoys: Option<EnvoyMesh>,
    pub(super) metrics: Arc<Metrics>,
    /// The server is going down.
    pub(super) stop: CancellationToken,
}

struct Shared<S, M> {
    backend: Backend<S, M>,
    api: ReleaseService<EngineApi<S, M>, Arc<Authentication>>,
    authenticate: Arc<Authentication>,
    request_ids: RequestIds,
    codes: Codes,
    read_time: Duration,
}

/// The handler of a server.
pub(super) fn handler<S: Store, M: Mesh>(backend: Backend<S, M>, options: Options) -> Handler {
    let Options { authentication, takeover, codes, limits, .. } = options;
    let authenticate = Arc::new(authentication);
    let api = EngineApi { engine: backend.engine.clone(), takeover };
    let api = ReleaseService::new(api, Arc::clone(&authenticate)).codes(codes).body_limit(limits.body_bytes);
    let request_ids = RequestIds::new();
    let shared = Arc::new(Shared { backend, api, authenticate, request_ids, codes, read_time: limits.read_time });
    Arc::new(move |request, peer| answer(&shared, request, peer))
}

/// Answers a request, and has a line written about it.
fn answer<S: Store, M: Mesh>(shared: &Arc<Shared<S, M>>, request: Request<Incoming>, peer: SocketAddr) -> Answer {
    let shared = Arc::clone(shared);
    let id = shared.request_ids.of(request.headers());
    let (mut head, body) = request.into_parts();
    let exchange = Exchange::begin(id.clone(), peer, &head);
    Box::pin(Arc::clone(&exchange).scope(async move {
        // Until it is answered, or its client has gone.
        let _in_progress = Counted::new(shared.backend.metrics.in_progress());
        let response = if let Some(page) = Page::at(head.uri.path()) {
            identified(shared.page(page, &head.method).await, id)
        } else if nodes::is_about(head.uri.path()) {
            let envoys = shared.backend.envoys.as_ref();
            // Rare and large: in every other request's future there would be room for it.
            let answer = Box::pin(nodes::answer(envoys, &shared.authenticate, shared.codes, &head, &body));
            identified(answer.await, id)
        } else {
            shared.api.answer_as(id, &mut head, TimedBody::new(body, shared.read_time)).await
        };
        shared.backend.metrics.answered(&head.method, response.status());
        exchange.answered(response.status());
        response
    }))
}

impl<S: Store, M: Mesh> Shared<S, M> {
    async fn page(&self, page: Page, method: &Method) -> Response<Body> {
        if ![Method::GET, Method::HEAD].contains(method) {
            let problem =
                Problem::new(ProblemKind::MethodNotAllowed("GET, HEAD"), "This path can only be read: use GET.");
            return problem.into_response(self.codes);
        }
        let (status, kind, text) = match page {
            Page::Health => (StatusCode::OK, TEXT, Body::from("ok\n")),
            Page::Ready => match self.backend.ready().await {
                Ok(()) => (StatusCode::OK, TEXT, Body::from("ready\n")),
                Err(why) => (StatusCode::SERVICE_UNAVAILABLE, TEXT, Body::from(format!("not ready: {why}\n"))),
            },
            Page::Metrics => (StatusCode::OK, metrics::CONTENT_TYPE, Body::from(self.backend.metrics.text())),
            Page::OpenApi => (StatusCode::OK, "application/json", Body::from(OPENAPI)),
        };
        let mut response = Response::new(text);
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        response
    }
}

/// How long after a write failed the server counts as ready again, if nothing was written since: who is not ready is given
/// nothing to write. Longer than the pause after which a takeover that is under way tries again.
const ANOTHER_TRY: Duration = Duration::from_mins(1);

impl<S: Store, M: Mesh> Backend<S, M> {
    /// Whether requests can be served.
    async fn ready(&self) -> Result<(), &'static str> {
        if self.stop.is_cancelled() {
            return Err("the server is going down");
        }
        if let Some(Err(error)) = self.envoys.as_ref().map(EnvoyMesh::serves) {
            exchange::within(|| tracing::warn!(%error, "not ready"));
            return Err(match error {
                NotServing::Ended => "the control plane of the Envoys has ended",
                NotServing::Unsaved => "what the control plane of the Envoys must remember can't be saved",
                _ => "the control plane of the Envoys does not serve",
            });
        }
        if self.engine.failed_write().is_some_and(|ago| ago < ANOTHER_TRY) {
            return Err("writes to the store fail");
        }
        let Ok(nobody) = ReleaseKey::parse("readyz", "readyz", "readyz") else { return Ok(()) };
        match self.engine.get(&nobody).await {
            Ok(_) | Err(EngineError::Refused { error: Error::UnknownRelease(_), .. }) => Ok(()),
            Err(error) => {
                exchange::within(|| tracing::warn!(%error, "not ready"));
                Err("the store does not answer")
            }
        }
    }
}

/// With the id of its request.
fn identified(mut response: Response<Body>, id: HeaderValue) -> Response<Body> {
    response.headers_mut().insert(X_REQUEST_ID, id);
    response
}

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What those who run the server ask for: the paths that are not the API's.
#[derive(Clone, Copy)]
enum Page {
    Health,
    Ready,
    Metrics,
    OpenApi,
}

impl Page {
    fn at(path: &str) -> Option<Self> {
        match path {
            "/healthz" => Some(Self::Health),
            "/readyz" => Some(Self::Ready),
            "/metrics" => Some(Self::Metrics),
            "/openapi.json" => Some(Self::OpenApi),
            _ => None,
        }
    }
}

const TEXT: &str = "text/plain; charset=utf-8";
