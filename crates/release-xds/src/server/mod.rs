//! The thin part: gRPC streams around a [`Control`](crate::control::Control).

mod ads;
mod convert;
mod hub;
mod lrs;

pub(crate) use ads::Ads;
pub(crate) use hub::Hub;
pub(crate) use lrs::Lrs;

use envoy_types::pb::envoy::service::discovery::v3::aggregated_discovery_service_server::AggregatedDiscoveryServiceServer;
use envoy_types::pb::envoy::service::load_stats::v3::load_reporting_service_server::LoadReportingServiceServer;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::sleep;
use tokio_stream::{Stream, StreamExt as _};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

/// A connection whose other end does not answer for that long has ended.
const KEEPALIVE: Duration = Duration::from_secs(5);

/// How long to wait after the system refused to accept a connection: it is out of something, and will be for a while.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves nodes until the hub is stopped.
pub(crate) async fn serve(hub: Arc<Hub>, listener: TcpListener) -> Result<(), tonic::transport::Error> {
    let stop = hub.stop.clone();
    let incoming = patient(TcpIncoming::from(listener).with_nodelay(Some(true)));
    Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE))
        .add_service(AggregatedDiscoveryServiceServer::new(Ads(Arc::clone(&hub))))
        .add_service(LoadReportingServiceServer::new(Lrs(hub)))
        .serve_with_incoming_shutdown(incoming, stop.cancelled_owned())
        .await
}

/// The same connections, with a pause after each that was not accepted: tonic asks for the next one at once.
fn patient<C>(incoming: impl Stream<Item = io::Result<C>>) -> impl Stream<Item = io::Result<C>> {
    incoming.then(async |accepted| {
        if let Err(error) = &accepted {
            tracing::warn!(%error, "a connection of a node was not accepted");
            sleep(PAUSE).await;
        }
        accepted
    })
}

#[cfg(test)]
mod tests {
    use super::{PAUSE, patient};
    use std::io::{Error, ErrorKind};
    use std::pin::pin;
    use tokio::time::Instant;
    use tokio_stream::{StreamExt as _, iter};

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_is_not_accepted_is_followed_by_a_pause() {
        let refused = || Err(Error::from(ErrorKind::OutOfMemory));
        let mut incoming = pin!(patient(iter([refused(), Ok(1), refused(), Ok(2)])));
        let begun = Instant::now();
        let mut accepted = Vec::new();
        while let Some(next) = incoming.next().await {
            accepted.extend(next.ok().map(|connection| (connection, begun.elapsed())));
        }
        assert_eq!(accepted, [(1, PAUSE), (2, 2 * PAUSE)]);
    }
}
