//! The two ways to answer a DELETE that are compared.
#![expect(clippy::expect_used, reason = "a benchmark that can't be set up should stop")]

use axum::extract::{Path, Query, Request as AxumRequest};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete as on_delete, get, post, put};
use axum::{Json, Router};
use http::Request;
use release_core::{Action, Error, MeshId, Namespace, Plan, ReleaseId, ReleaseKey, Routing};
use release_http::{Api, Body, Failure, ImageVersion, NewRelease, Operation, Release, ReleaseService, Unauthenticated};
use serde::{Deserialize, Serialize};

/// Answers a delete with 200 or 404, without doing anything.
#[derive(Clone, Copy)]
pub(crate) struct Contender {
    found: bool,
}

impl Contender {
    pub(crate) fn answering(status: u16) -> Self {
        Self { found: status == 200 }
    }

    fn delete(self, key: ReleaseKey) -> Result<(), Failure> {
        if self.found { Ok(()) } else { Err(Error::UnknownRelease(Box::new(key)).into()) }
    }
}

/// A delete as clients send it.
pub(crate) fn delete() -> Request<Body> {
    Request::delete("/v2/meshes/mesh-1/namespaces/shop/releases/3f2a7c1e-5b1d-4f4e-9f6e-0d7a1b2c3d4e?action=end")
        .header("content-type", "application/json")
        .header("x-auth-token", "a-token")
        .header("x-request-id", "0d7a1b2c3d4e")
        .body(Body::default())
        .expect("a request")
}

pub(crate) fn service(contender: Contender) -> ReleaseService<Contender, Unauthenticated> {
    ReleaseService::new(contender, Unauthenticated)
}

/// The paths of the API for matchit.
pub(crate) fn paths() -> matchit::Router<usize> {
    let mut router = matchit::Router::new();
    let mut paths: Vec<&str> = Operation::ALL.map(Operation::path).to_vec();
    paths.sort_by_key(|path| path.len());
    paths.dedup();
    for (index, path) in paths.into_iter().enumerate() {
        router.insert(path, index).expect("a path");
    }
    router
}

#[derive(Deserialize)]
struct ActionQuery {
    action: Action,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorBody<'a> {
    error_code: &'a str,
    error_msg: &'a str,
}

/// The same answers as one would write them with axum: typed ids and action, the content type checked, the request id
/// taken over, the documented error body.
pub(crate) fn axum_router(contender: Contender) -> Router {
    let release = "/v2/meshes/{mesh_id}/namespaces/{namespace}/releases/{release_id}";
    let delete = async move |Path((mesh, namespace, id)): Path<(MeshId, Namespace, ReleaseId)>,
                             Query(ActionQuery { action: Action::Cancel | Action::End }): Query<ActionQuery>,
                             request: AxumRequest| {
        // The request as a whole: to extract the headers alone would copy them.
        let headers = request.headers();
        let is_json = headers.get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
        let mut response = if is_json { answer(contender, ReleaseKey { mesh, namespace, id }) } else { invalid() };
        if let Some(request_id) = headers.get("x-request-id") {
            response.headers_mut().insert("x-request-id", request_id.clone());
        }
        response
    };
    let other = async || StatusCode::NOT_IMPLEMENTED;
    Router::new()
        .route(release, on_delete(delete).get(other).put(other))
        .route("/v2/meshes/{mesh_id}/releases", get(other))
        .route("/v2/meshes/{mesh_id}/namespaces/{namespace}/releases", post(other))
        .route(&format!("{release}/policy"), put(other))
        .route(&format!("{release}/reopen"), post(other))
        .route(&format!("{release}/plan"), get(other))
}

fn answer(contender: Contender, key: ReleaseKey) -> Response {
    match contender.delete(key) {
        Ok(()) => StatusCode::OK.into_response(),
        Err(failure) => {
            let message = format!("Resource not found. {failure}.");
            let body = ErrorBody { error_code: "ASM.01010002", error_msg: &message };
            (StatusCode::NOT_FOUND, Json(body)).into_response()
        }
    }
}

fn invalid() -> Response {
    let body = ErrorBody { error_code: "ASM.01010001", error_msg: "Invalid request." };
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}

impl Api for Contender {
    async fn delete(&self, key: ReleaseKey, _: Action) -> Result<(), Failure> {
        Self::delete(*self, key)
    }

    async fn create(&self, _: NewRelease) -> Result<Release, Failure> {
        Err(Failure::Internal)
    }

    async fn list(&self, _: MeshId) -> Result<Vec<Release>, Failure> {
        Err(Failure::Internal)
    }

    async fn get(&self, _: ReleaseKey) -> Result<Release, Failure> {
        Err(Failure::Internal)
    }

    async fn update(&self, _: ReleaseKey, _: ImageVersion) -> Result<Release, Failure> {
        Err(Failure::Internal)
    }

    async fn set_policy(&self, _: ReleaseKey, _: Routing) -> Result<Release, Failure> {
        Err(Failure::Internal)
    }

    async fn reopen(&self, _: ReleaseKey) -> Result<Release, Failure> {
        Err(Failure::Internal)
    }

    async fn preview(&self, _: ReleaseKey, _: Action) -> Result<Plan, Failure> {
        Err(Failure::Internal)
    }
}
