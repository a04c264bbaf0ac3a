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
fn it_mounts_in_axum_next_to_other_routes() {
    let app = Router::new().route("/healthz", get(async || "ok")).fallback_service(service());
    let status = |request: Request<String>| block_on(app.clone().oneshot(request)).unwrap().status().as_u16();
    assert_eq!(status(request("GET", "/healthz", "")), 200);
    assert_eq!(status(request("GET", "/v2/meshes/mesh-1/releases", "")), 200);
    assert_eq!(status(request("GET", "/v2/meshes/mesh-1/nothing", "")), 404);
    assert_eq!(status(request("PATCH", RELEASES, "")), 405);
}
