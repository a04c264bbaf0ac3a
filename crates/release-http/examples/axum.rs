//! The API in an axum server: mounted as the service for its own paths, next to other routes.
//!
//! `cargo run -p release-http --example axum` serves on 127.0.0.1:8080; try
//! `curl -i -X DELETE -H 'Content-Type: application/json' '127.0.0.1:8080/v2/meshes/m/namespaces/n/releases/r?action=end'`.

use axum::Router;
use axum::routing::get;
use release_http::testkit::Memory;
use release_http::{ReleaseService, Unauthenticated};
use std::io;
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    serve(TcpListener::bind("127.0.0.1:8080").await?).await
}

pub(crate) async fn serve(listener: TcpListener) -> io::Result<()> {
    let releases = ReleaseService::new(Memory::default(), Unauthenticated);
    let app = Router::new().route("/healthz", get(async || "ok")).fallback_service(releases);
    axum::serve(listener, app).await
}
