//! Requests without ceremony.

use http::{Request, Response};
use release_core::{Action, MeshId, Plan, ReleaseKey, Routing};
use release_http::testkit::{Memory, block_on};
use release_http::{
    Api, Authenticate, Body, Failure, ImageVersion, NewRelease, Release, ReleaseService, Unauthenticated, properties,
};

pub(crate) const RELEASES: &str = "/v2/meshes/mesh-1/namespaces/shop/releases";
pub(crate) const CREATE: &str =
    r#"{"metadata":{"name":"cart-v2"},"spec":{"serviceName":"cart","originalVersion":"v1","version":"v2"}}"#;

/// A request with the content type that every operation needs.
pub(crate) fn request(method: &str, target: &str, body: &str) -> Request<String> {
    let builder = Request::builder().method(method).uri(target);
    builder.header("content-type", "application/json").header("x-request-id", "test-1").body(body.to_owned()).unwrap()
}

pub(crate) fn service() -> ReleaseService<Memory, Unauthenticated> {
    ReleaseService::new(Memory::default(), Unauthenticated)
}

pub(crate) fn ask<A: Api, U: Authenticate>(service: &ReleaseService<A, U>, request: Request<String>) -> Response<Body> {
    block_on(service.answer(request))
}

/// Status and body.
pub(crate) fn told<A: Api, U: Authenticate>(service: &ReleaseService<A, U>, request: Request<String>) -> (u16, String) {
    let response = ask(service, request);
    (response.status().as_u16(), properties::text_of(response))
}

/// The message of an error, with its status.
pub(crate) fn refusal<A: Api, U: Authenticate>(service: &ReleaseService<A, U>, request: Request<String>) -> String {
    let (status, body) = told(service, request);
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    format!("{status} {}", body["errorMsg"].as_str().unwrap())
}

/// An API whose every operation fails in the same way.
pub(crate) struct Failing(pub(crate) Failure);

impl Api for Failing {
    async fn delete(&self, _: ReleaseKey, _: Action) -> Result<(), Failure> {
        Err(self.0.clone())
    }

    async fn create(&self, _: NewRelease) -> Result<Release, Failure> {
        Err(self.0.clone())
    }

    async fn list(&self, _: MeshId) -> Result<Vec<Release>, Failure> {
        Err(self.0.clone())
    }

    async fn get(&self, _: ReleaseKey) -> Result<Release, Failure> {
        Err(self.0.clone())
    }

    async fn update(&self, _: ReleaseKey, _: ImageVersion) -> Result<Release, Failure> {
        Err(self.0.clone())
    }

    async fn set_policy(&self, _: ReleaseKey, _: Routing) -> Result<Release, Failure> {
        Err(self.0.clone())
    }

    async fn reopen(&self, _: ReleaseKey) -> Result<Release, Failure> {
        Err(self.0.clone())
    }

    async fn preview(&self, _: ReleaseKey, _: Action) -> Result<Plan, Failure> {
        Err(self.0.clone())
    }
}

/// A well-formed request for each operation, on the task `mesh-1/shop/r1`.
pub(crate) fn one_of_each() -> Vec<(&'static str, String, &'static str)> {
    vec![
        ("DELETE", format!("{RELEASES}/r1?action=cancel"), ""),
        ("GET", format!("{RELEASES}/r1"), ""),
        ("PUT", format!("{RELEASES}/r1"), r#"{"spec":{"imageVersion":"2.0.1"}}"#),
        ("POST", RELEASES.into(), CREATE),
        ("GET", "/v2/meshes/mesh-1/releases".into(), ""),
        ("PUT", format!("{RELEASES}/r1/policy"), r#"{"weighted":{"grayscale":20}}"#),
        ("POST", format!("{RELEASES}/r1/reopen"), ""),
        ("GET", format!("{RELEASES}/r1/plan?action=end"), ""),
    ]
}
