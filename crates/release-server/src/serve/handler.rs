//! A request in, a response out: the API, and what those who run the server ask for.

use super::body::TimedBody;
use super::config::Options;
use super::metrics::{self, Metrics};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use release_core::Note;
use release_http::{Api, Authenticate, Body, Codes, OPENAPI, Problem, ProblemKind, ReleaseService, RequestIds};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::{Instrument as _, field};

/// Answers requests; the same for all connections.
pub(super) type Handler = Arc<dyn Fn(Request<Incoming>) -> Answer + Send + Sync>;

/// The answer to come.
pub(super) type Answer = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// What the operators of a server ask it.
pub(super) trait Operator: Send + Sync + 'static {
    /// Whether requests can be served.
    fn ready(&self) -> impl Future<Output = Result<(), &'static str>> + Send;
}

struct Shared<A, U, O> {
    api: ReleaseService<A, U>,
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
    let api = ReleaseService::new(api, authenticate).codes(options.codes).body_limit(options.body_bytes);
    let shared = Arc::new(Shared {
        api,
        operator,
        metrics,
        request_ids: RequestIds::new(),
        codes: options.codes,
        read_time: options.read_time,
    });
    Arc::new(move |request| Box::pin(logged(Arc::clone(&shared), request)))
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

/// Answers a request, and writes a line about it that shows no header, no query and no body: those hold credentials.
async fn logged<A, U, O>(shared: Arc<Shared<A, U, O>>, mut request: Request<Incoming>) -> Response<Body>
where
    A: Api + 'static,
    U: Authenticate + 'static,
    O: Operator,
{
    let id = shared.request_ids.of(request.headers());
    let text = id.to_str().unwrap_or_default();
    let span = tracing::info_span!("request", id = text, release = field::Empty);
    request.headers_mut().insert(X_REQUEST_ID, id);
    async move {
        let (method, uri, began) = (request.method().clone(), request.uri().clone(), Instant::now());
        let response = answer(&shared, request).await;
        shared.metrics.answered(&method, response.status());
        report(&method, uri.path(), response.status(), began.elapsed());
        response
    }
    .instrument(span)
    .await
}

async fn answer<A, U, O>(shared: &Shared<A, U, O>, request: Request<Incoming>) -> Response<Body>
where
    A: Api,
    U: Authenticate,
    O: Operator,
{
    let (status, kind, text) = match request.uri().path() {
        "/healthz" => (StatusCode::OK, TEXT, Body::from("ok\n")),
        "/readyz" => match shared.operator.ready().await {
            Ok(()) => (StatusCode::OK, TEXT, Body::from("ready\n")),
            Err(why) => (StatusCode::SERVICE_UNAVAILABLE, TEXT, Body::from(format!("not ready: {why}\n"))),
        },
        "/metrics" => (StatusCode::OK, metrics::CONTENT_TYPE, Body::from(shared.metrics.text())),
        "/openapi.json" => (StatusCode::OK, "application/json", Body::from(OPENAPI)),
        _ => return shared.api.answer(request.map(|body| TimedBody::new(body, shared.read_time))).await,
    };
    let mut response = if [Method::GET, Method::HEAD].contains(request.method()) {
        let mut response = Response::new(text);
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        response
    } else {
        let problem = Problem::new(ProblemKind::MethodNotAllowed("GET, HEAD"), "This path can only be read: use GET.");
        problem.into_response(shared.codes)
    };
    if let Some(id) = request.headers().get(X_REQUEST_ID) {
        response.headers_mut().insert(X_REQUEST_ID, id.clone());
    }
    response
}

const X_REQUEST_ID: &str = "x-request-id";

const TEXT: &str = "text/plain; charset=utf-8";

/// What went wrong is a warning, what was only read is for the curious.
fn report(method: &Method, path: &str, status: StatusCode, took: Duration) {
    macro_rules! line {
        ($level:ident) => {
            // What is not logged is not worked out.
            tracing::$level!(
                %method,
                path = Note::new(path).as_str(),
                status = status.as_u16(),
                ms = took.as_millis(),
                "answered"
            )
        };
    }
    if status.is_server_error() {
        line!(warn);
    } else if status.is_success() && method.is_safe() {
        line!(debug);
    } else {
        line!(info);
    }
}
