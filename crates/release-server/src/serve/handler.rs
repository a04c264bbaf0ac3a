//! A request in, a response out: the API, and what those who run the server ask for.

use super::body::TimedBody;
use super::config::Options;
use super::metrics::{self, Metrics};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use release_core::Note;
use release_http::{Api, Authenticate, Body, Codes, Problem, ProblemKind, ReleaseService, RequestIds};
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
    request.headers_mut().insert("x-request-id", id);
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
    match request.uri().path() {
        "/healthz" => text(shared, &request, StatusCode::OK, "ok\n".into()),
        "/readyz" => match shared.operator.ready().await {
            Ok(()) => text(shared, &request, StatusCode::OK, "ready\n".into()),
            Err(why) => text(shared, &request, StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")),
        },
        "/metrics" => {
            let mut response = text(shared, &request, StatusCode::OK, shared.metrics.text());
            if response.status() == StatusCode::OK {
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(metrics::CONTENT_TYPE));
            }
            response
        }
        _ => shared.api.answer(request.map(|body| TimedBody::new(body, shared.read_time))).await,
    }
}

fn text<A, U, O>(
    shared: &Shared<A, U, O>,
    request: &Request<Incoming>,
    status: StatusCode,
    text: String,
) -> Response<Body> {
    let mut response = if [Method::GET, Method::HEAD].contains(request.method()) {
        let mut response = Response::new(Body::from(text));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        response
    } else {
        let problem = Problem::new(ProblemKind::MethodNotAllowed("GET, HEAD"), "This path can only be read: use GET.");
        problem.into_response(shared.codes)
    };
    if let Some(id) = request.headers().get("x-request-id") {
        response.headers_mut().insert("x-request-id", id.clone());
    }
    response
}

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
