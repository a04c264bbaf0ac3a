//! The API on bare hyper, without a router.
//!
//! `cargo run -p release-http --example hyper` serves on 127.0.0.1:8080.

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use release_http::testkit::Memory;
use release_http::{ReleaseService, Unauthenticated};
use std::io;
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    serve(TcpListener::bind("127.0.0.1:8080").await?).await
}

pub(crate) async fn serve(listener: TcpListener) -> io::Result<()> {
    let releases = TowerToHyperService::new(ReleaseService::new(Memory::default(), Unauthenticated));
    loop {
        let (connection, peer) = listener.accept().await?;
        let releases = releases.clone();
        tokio::spawn(async move {
            let served = http1::Builder::new().serve_connection(TokioIo::new(connection), releases).await;
            if let Err(error) = served {
                eprintln!("{peer}: {error}");
            }
        });
    }
}
