//! The API next to gRPC, in tonic's router: one port, HTTP/2 without TLS for gRPC, and that or HTTP/1.1 for the API.
//!
//! `cargo run -p release-http --example tonic` serves on 127.0.0.1:8080.

use http::{Request, Response};
use release_http::testkit::Memory;
use release_http::{ReleaseService, Unauthenticated};
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::task::{Context, Poll};
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic::transport::server::{Server, TcpIncoming};
use tonic::{Code, Status};
use tower::Service;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    serve(TcpListener::bind("127.0.0.1:8080").await?).await
}

pub(crate) async fn serve(listener: TcpListener) -> io::Result<()> {
    let releases = ReleaseService::new(Memory::default(), Unauthenticated);
    let grpc = Routes::new(Ping).into_axum_router();
    let routes = Routes::from(grpc.fallback_service(releases));
    let server = Server::builder().accept_http1(true).add_routes(routes);
    server.serve_with_incoming(TcpIncoming::from(listener)).await.map_err(io::Error::other)
}

/// Stands for what tonic generates of a `service example.Ping`: every call is fine.
#[derive(Clone)]
struct Ping;

impl NamedService for Ping {
    const NAME: &'static str = "example.Ping";
}

impl Service<Request<Body>> for Ping {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        ready(Ok(Status::new(Code::Ok, "pong").into_http()))
    }
}
