//! Connections: accepted, served, bounded in number, ended in time.

use super::config::Limits;
use super::handler::Handler;
use super::metrics::Counted;
use super::stalled::FailsWhenStalled;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::metrics::gauge::Gauge;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// How long to wait after the system refused to accept a connection: it is out of something, and will be for a while.
const PAUSE: Duration = Duration::from_millis(100);

/// A socket, and how what arrives there is answered.
pub(super) struct Listener {
    pub(super) socket: TcpListener,
    pub(super) handler: Handler,
    /// [In range](Limits::in_range).
    pub(super) limits: Limits,
    /// The number of open connections.
    pub(super) open: Gauge,
}

impl Listener {
    /// Serves connections until `stop`; then lets those that are being answered end, and closes the rest. Returns whether
    /// all had ended within `limit`.
    pub(super) async fn serve(self, stop: CancellationToken, limit: Duration) -> bool {
        let Self { socket, handler, limits, open } = self;
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(limits.read_time)
            // Answers are small: copying them is cheaper than writing them in pieces.
            .writev(false)
            .max_buf_size(limits.header_bytes);
        let places = Arc::new(Semaphore::new(limits.connections));
        let mut connections = JoinSet::new();
        while let Some((stream, peer, place)) = stop.run_until_cancelled(next(&socket, &places)).await {
            while connections.try_join_next().is_some() {}
            let stream = FailsWhenStalled::new(stream, limits.read_time);
            // A token of its own: each poll of a connection locks it, and would wait for all the others.
            let (builder, handler, stop) = (builder.clone(), Arc::clone(&handler), stop.child_token());
            let open = open.clone();
            connections.spawn(async move {
                let _counted = Counted::new(&open);
                connection(stream, peer, &builder, handler, stop).await;
                drop(place);
            });
        }
        drop(socket);
        let ended = timeout(limit, async { while connections.join_next().await.is_some() {} }).await.is_ok();
        connections.shutdown().await;
        ended
    }
}

/// The next connection, as soon as there is a place for it.
async fn next(socket: &TcpListener, places: &Arc<Semaphore>) -> (TcpStream, SocketAddr, Option<OwnedSemaphorePermit>) {
    // The semaphore is never closed.
    let place = Arc::clone(places).acquire_owned().await.ok();
    let (stream, peer) = accept(socket).await;
    (stream, peer, place)
}

async fn accept(socket: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match socket.accept().await {
            Ok((stream, peer)) => {
                // Answers are small and written at once: waiting for more of them only costs time.
                let _ = stream.set_nodelay(true);
                return (stream, peer);
            }
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                sleep(PAUSE).await;
            }
        }
    }
}

async fn connection(
    stream: FailsWhenStalled<TcpStream>,
    peer: SocketAddr,
    builder: &http1::Builder,
    handler: Handler,
    stop: CancellationToken,
) {
    let service = service_fn(move |request| {
        let answer = handler(request, peer);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let served = tokio::select! {
        biased;
        served = connection.as_mut() => served,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        // A client that hangs up, or sends no HTTP: nothing that whoever runs the server must know.
        tracing::debug!(%error, "a connection ended");
    }
}
