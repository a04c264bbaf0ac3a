//! As a tower service.

use crate::support::{CREATE, RELEASES, request, service};
use axum::Router;
use axum::routing::get;
use http::Request;
use release_http::testkit::block_on;
use tower::ServiceExt;

#[test]
fn it_is_a_tower_service_that_shares_its_state_with_its_clones() {
    let service = service();
    let created = block_on(service.clone().oneshot(request("POST", RELEASES, CREATE))).unwrap();
    assert_eq!((created.status().as_u16(), created.headers()["x-request-id"].to_str().unwrap()), (201, "test-1"));
    let deleted = block_on(service.oneshot(request("DELETE", &format!("{RELEASES}/r1?action=end"), ""))).unwrap();
    assert_eq!(deleted.status(), 200);
}

#[test]
fn no_header_of_the_request_gets_into_the_answer() {
    for target in ["/v2/meshes/mesh-1/releases", "/v2/meshes/mesh-1", "/v2/meshes/mesh-1/releases?token=t"] {
        let mut asked = request("GET", target, "");
        for name in ["x-auth-token", "authorization", "accept"] {
            asked.headers_mut().append(name, "secret".parse().unwrap());
            asked.headers_mut().append(name, "another".parse().unwrap());
        }
        let answer = block_on(service().answer(asked));
        let names: Vec<&str> = answer.headers().iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["x-request-id", "cache-control", "content-type"], "{target}");
    }
}

#[test]
fn it_mounts_in_axum_next_to_other_routes() {
    let app = Router::new().route("/healthz", get(async || "ok")).fallback_service(service());
    let status = |request: Request<String>| block_on(app.clone().oneshot(request)).unwrap().status().as_u16();
    assert_eq!(status(request("GET", "/healthz", "")), 200);
    assert_eq!(status(request("GET", "/v2/meshes/mesh-1/releases", "")), 200);
    assert_eq!(status(request("GET", "/v2/meshes/mesh-1/nothing", "")), 404);
    assert_eq!(status(request("PATCH", RELEASES, "")), 405);
}
