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
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tower_service::Service as _;

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
///
/// Everything that can be done before there is a future is: what a future holds is copied with it.
fn answer<A, U, O>(shared: &Arc<Shared<A, U, O>>, mut request: Request<Incoming>, peer: SocketAddr) -> Answer
where
    A: Api + 'static,
    U: Authenticate + 'static,
    O: Operator,
{
    let shared = Arc::clone(shared);
    let id = shared.request_ids.of(request.headers());
    let exchange = Exchange::begin(&request, id.clone(), peer, shared.metrics.begun());
    request.headers_mut().insert(X_REQUEST_ID, id);
    let scope = Arc::clone(&exchange);
    if let Some(page) = Page::at(exchange.uri.path()) {
        let answer = async move {
            let response = shared.page(page, &request).await;
            shared.done(&exchange, response)
        };
        return Box::pin(scope.scope(answer));
    }
    if nodes::is_about(exchange.uri.path()) {
        let answer = async move {
            let envoys = shared.operator.envoys();
            let mut response = nodes::answer(envoys, &*shared.authenticate, shared.codes, &request).await;
            identify(&request, &mut response);
            shared.done(&exchange, response)
        };
        return Box::pin(scope.scope(answer));
    }
    let answer = shared.api.clone().call(request.map(|body| TimedBody::new(body, shared.read_time)));
    let answer = async move {
        let Ok(response) = answer.await;
        shared.done(&exchange, response)
    };
    Box::pin(scope.scope(answer))
}

impl<A, U, O: Operator> Shared<A, U, O> {
    fn done(&self, exchange: &Exchange, response: Response<Body>) -> Response<Body> {
        self.metrics.answered(&exchange.method, response.status());
        exchange.answered(response.status());
        response
    }

    async fn page(&self, page: Page, request: &Request<Incoming>) -> Response<Body> {
        let (status, kind, text) = match page {
            Page::Health => (StatusCode::OK, TEXT, Body::from("ok\n")),
            Page::Ready => match self.operator.ready().await {
                Ok(()) => (StatusCode::OK, TEXT, Body::from("ready\n")),
                Err(why) => (StatusCode::SERVICE_UNAVAILABLE, TEXT, Body::from(format!("not ready: {why}\n"))),
            },
            Page::Metrics => (StatusCode::OK, metrics::CONTENT_TYPE, Body::from(self.metrics.text())),
            Page::OpenApi => (StatusCode::OK, "application/json", Body::from(OPENAPI)),
        };
        let mut response = if [Method::GET, Method::HEAD].contains(request.method()) {
            let mut response = Response::new(text);
            *response.status_mut() = status;
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            response
        } else {
            let problem =
                Problem::new(ProblemKind::MethodNotAllowed("GET, HEAD"), "This path can only be read: use GET.");
            problem.into_response(self.codes)
        };
        identify(request, &mut response);
        response
    }
}

/// The id of the request, on its answer.
fn identify(request: &Request<Incoming>, response: &mut Response<Body>) {
    if let Some(id) = request.headers().get(&X_REQUEST_ID) {
        response.headers_mut().insert(X_REQUEST_ID, id.clone());
    }
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
