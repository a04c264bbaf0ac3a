//! The Envoys, for operators: which are known, and one that is gone for good forgotten. Ours.
//! The requests are in the documentation of [`serve`](super).
//!
//! The credentials must be for every mesh, because an Envoy may be of any: else 403.

use super::config::Authentication;
use super::exchange;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Method, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use release_http::{Authenticate as _, Body, Codes, Problem, ProblemKind};
use release_xds::control::ForgetError;
use release_xds::{EnvoyMesh, NodeReport};
use tracing::Instrument as _;

const NODES: &str = "/nodes";

/// Whether the path is one of these.
pub(super) fn is_about(path: &str) -> bool {
    path.strip_prefix(NODES).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Answers a request to such a path.
pub(super) async fn answer(
    envoys: Option<&EnvoyMesh>,
    authenticate: &Authentication,
    codes: Codes,
    head: &Parts,
    body: &Incoming,
) -> Response<Body> {
    match outcome(envoys, authenticate, head, body).await {
        Ok(mut response) => {
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(problem) => problem.into_response(codes),
    }
}

async fn outcome(
    envoys: Option<&EnvoyMesh>,
    authenticate: &Authentication,
    head: &Parts,
    body: &Incoming,
) -> Result<Response<Body>, Problem> {
    let node = head.uri.path().strip_prefix(NODES).and_then(|rest| rest.strip_prefix('/'));
    let allowed = if node.is_some() { "DELETE" } else { "GET" };
    if head.method != allowed.parse::<Method>().unwrap_or_default() {
        return Err(Problem::new(ProblemKind::MethodNotAllowed(allowed), "This path takes another method."));
    }
    admit(authenticate, head, body).await?;
    let nowhere = || Problem::new(ProblemKind::NotFound, "The mesh of this server is simulated: it has no nodes.");
    let envoys = envoys.ok_or_else(nowhere)?;
    match node {
        None => list(&envoys.nodes()),
        Some(node) => forget(envoys, node).await,
    }
}

/// Only who may touch every mesh.
async fn admit(authenticate: &Authentication, head: &Parts, body: &Incoming) -> Result<(), Problem> {
    // A signature covers the body.
    if !body.is_end_stream() {
        return Err(Problem::new(ProblemKind::Invalid, "This path takes no body: send none."));
    }
    let caller = authenticate.authenticate(head, &[]).await;
    let caller = caller.map_err(|denied| Problem::of_denied(authenticate, denied))?;
    if caller.may_touch_every_mesh() {
        return Ok(());
    }
    Err(Problem::new(ProblemKind::Forbidden, "Nodes may be of any mesh: use credentials for every mesh."))
}

#[derive(serde::Serialize)]
struct NodeList<'a> {
    kind: &'static str,
    items: &'a [NodeReport],
}

fn list(nodes: &[NodeReport]) -> Result<Response<Body>, Problem> {
    let text = serde_json::to_string(&NodeList { kind: "NodeList", items: nodes })
        .map_err(|_| Problem::new(ProblemKind::Internal, "The answer could not be written."))?;
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

async fn forget(envoys: &EnvoyMesh, node: &str) -> Result<Response<Body>, Problem> {
    let node = percent_encoding::percent_decode_str(node).decode_utf8();
    let node = node.map_err(|_| Problem::new(ProblemKind::Invalid, "The node's id is not UTF-8."))?;
    match envoys.forget(&node).instrument(exchange::span()).await {
        Ok(()) => Ok(Response::new(Body::default())),
        Err(error @ ForgetError::Unknown) => {
            Err(Problem::new(ProblemKind::NotFound, format!("{}: list them with GET {NODES}.", capitalised(&error))))
        }
        Err(error @ ForgetError::Unsaved(_)) => {
            Err(Problem::new(ProblemKind::Internal, format!("{}.", capitalised(&error))))
        }
        Err(error @ ForgetError::Connected) => {
            Err(Problem::new(ProblemKind::Invalid, format!("{}.", capitalised(&error))))
        }
    }
}

/// The message as the beginning of a sentence.
fn capitalised(error: &ForgetError) -> String {
    let text = error.to_string();
    let mut rest = text.chars();
    rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
}
