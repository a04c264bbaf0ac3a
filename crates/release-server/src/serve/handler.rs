//! A request in, a response out: the API, and what those who run the server ask for.

use super::body::TimedBody;
use super::config::Options;
use super::exchange::Exchange;
use super::metrics::{self, Metrics};
use super::nodes;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use release_http::{Api, Authenticate, Body, Codes, OPENAPI, Problem, ProblemKind, ReleaseService, RequestIds};
use release_xds::EnvoyMesh;
use std::future::Future;
use std::net::SocketAddr;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// Answers requests of a peer; the same for all connections.
pub(super) type Handler = Arc<dyn Fn(Request<Incoming>, SocketAddr) -> Answer + Send + Sync>;

/// The answer to come.
pub(super) type Answer = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// What the operators of a server ask it.
pub(super) trait Operator: Send + Sync + 'static {
    /// Whether requests can be served.
    fn ready(&self) -> impl Future<Output = Result<(), &'static str>> + Send;

    /// The Envoys, if they are the mesh.
    fn envoys(&self) -> Option<&EnvoyMesh>;
}

struct Shared<A, U, O> {
    api: ReleaseService<A, Arc<U>>,
    authenticate: Arc<U>,
    operator: O,
    metrics: Arc<Metrics>,
    request_ids: RequestIds,
    codes: Codes,
    read_time: Duration,
}

/// The handler of a server.
pub(super) fn handler<A, U, O>(
    api: A,
    authenticate: U,
    operator: O,
    metrics: Arc<Metrics>,
    options: &HandlerOptions,
) -> Handler
where
    A: Api + 'static,
    U: Authenticate + 'static,
    O: Operator,
{
    let authenticate = Arc::new(authenticate);
    let api = ReleaseService::new(api, Arc::clone(&authenticate)).codes(options.codes).body_limit(options.body_bytes);
    let shared = Arc::new(Shared {
        api,
        authenticate,
        operator,
        metrics,
        request_ids: RequestIds::new(),
        codes: options.codes,
        read_time: options.read_time,
    });
    Arc::new(move |request, peer| answer(&shared, request, peer))
}

/// The part of the options that the handler needs.
pub(super) struct HandlerOptions {
    codes: Codes,
    body_bytes: usize,
    read_time: Duration,
}

impl From<&Options> for HandlerOptions {
    fn from(options: &Options) -> Self {
        let Options { codes, limits, .. } = options;
        Self { codes: *codes, body_bytes: limits.body_bytes, read_time: limits.read_time }
    }
}

/// Answers a request, and has a line written about it.
fn answer<A, U, O>(shared: &Arc<Shared<A, U, O>>, request: Request<Incoming>, peer: SocketAddr) -> Answer
where
    A: Api + 'static,
    U: Authenticate + 'static,
    O: Operator,
{
    let shared = InProgress::begin(shared);
    let id = shared.request_ids.of(request.headers());
    let exchange = Exchange::begin(id.clone(), peer);
    let (mut head, body) = request.into_parts();
    Box::pin(Arc::clone(&exchange).scope(async move {
        let response = if let Some(page) = Page::at(head.uri.path()) {
            identified(shared.page(page, &head.method).await, id)
        } else if nodes::is_about(head.uri.path()) {
            let envoys = shared.operator.envoys();
            // Rare and large: in every other request's future there would be room for it.
            let answer = Box::pin(nodes::answer(envoys, &*shared.authenticate, shared.codes, &head, &body));
            identified(answer.await, id)
        } else {
            shared.api.answer_as(id, &mut head, TimedBody::new(body, shared.read_time)).await
        };
        shared.metrics.answered(&head.method, response.status());
        exchange.answered(&head, response.status());
        response
    }))
}

/// What a request needs while it is counted as being in progress: until it is answered, or its client has gone.
struct InProgress<A, U, O>(Arc<Shared<A, U, O>>);

impl<A, U, O> InProgress<A, U, O> {
    fn begin(shared: &Arc<Shared<A, U, O>>) -> Self {
        shared.metrics.begun();
        Self(Arc::clone(shared))
    }
}

impl<A, U, O> Deref for InProgress<A, U, O> {
    type Target = Shared<A, U, O>;

    fn deref(&self) -> &Shared<A, U, O> {
        &self.0
    }
}

impl<A, U, O> Drop for InProgress<A, U, O> {
    fn drop(&mut self) {
        self.0.metrics.ended();
    }
}

impl<A, U, O: Operator> Shared<A, U, O> {
    async fn page(&self, page: Page, method: &Method) -> Response<Body> {
        let (status, kind, text) = match page {
            Page::Health => (StatusCode::OK, TEXT, Body::from("ok\n")),
            Page::Ready => match self.operator.ready().await {
                Ok(()) => (StatusCode::OK, TEXT, Body::from("ready\n")),
                Err(why) => (StatusCode::SERVICE_UNAVAILABLE, TEXT, Body::from(format!("not ready: {why}\n"))),
            },
            Page::Metrics => (StatusCode::OK, metrics::CONTENT_TYPE, Body::from(self.metrics.text())),
            Page::OpenApi => (StatusCode::OK, "application/json", Body::from(OPENAPI)),
        };
        if ![Method::GET, Method::HEAD].contains(method) {
            let problem =
                Problem::new(ProblemKind::MethodNotAllowed("GET, HEAD"), "This path can only be read: use GET.");
            return problem.into_response(self.codes);
        }
        let mut response = Response::new(text);
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        response
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
