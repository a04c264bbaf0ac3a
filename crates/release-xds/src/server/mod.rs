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
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

/// A connection whose other end does not answer for that long has ended.
const KEEPALIVE: Duration = Duration::from_secs(5);

/// Serves nodes until the hub is stopped.
pub(crate) async fn serve(hub: Arc<Hub>, listener: TcpListener) -> Result<(), tonic::transport::Error> {
    let stop = hub.stop.clone();
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE))
        .add_service(AggregatedDiscoveryServiceServer::new(Ads(Arc::clone(&hub))))
        .add_service(LoadReportingServiceServer::new(Lrs(hub)))
        .serve_with_incoming_shutdown(incoming, stop.cancelled_owned())
        .await
}
