//! The streams of nodes.

use super::convert;
use super::hub::Hub;
use envoy_types::pb::envoy::service::discovery::v3::aggregated_discovery_service_server::AggregatedDiscoveryService;
use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

/// State of the world, all types on one stream.
pub(crate) struct Ads(pub(crate) Arc<Hub>);

/// How long a node may take to say who it is.
const INTRODUCTION: Duration = Duration::from_secs(10);

/// One response of each type, and the end.
const UNDER_WAY: usize = 4;

#[tonic::async_trait]
impl AggregatedDiscoveryService for Ads {
    type StreamAggregatedResourcesStream = ReceiverStream<Result<DiscoveryResponse, Status>>;

    async fn stream_aggregated_resources(
        &self,
        request: Request<Streaming<DiscoveryRequest>>,
    ) -> Result<Response<Self::StreamAggregatedResourcesStream>, Status> {
        let (hub, peer) = (Arc::clone(&self.0), request.remote_addr());
        let room = Arc::clone(&hub.room)
            .try_acquire_owned()
            .map_err(|_| Status::resource_exhausted("too many nodes are connected"))?;
        let (sender, responses) = mpsc::channel(UNDER_WAY);
        let requests = request.into_inner();
        tokio::spawn(async move {
            let refused = serve(&hub, requests, &sender).await.err();
            if let Some(status) = refused {
                tracing::warn!(?peer, reason = status.message(), "a stream is refused");
                let _ = sender.try_send(Err(status));
            }
            drop(room);
        });
        Ok(Response::new(ReceiverStream::new(responses)))
    }

    type DeltaAggregatedResourcesStream = ReceiverStream<Result<DeltaDiscoveryResponse, Status>>;

    async fn delta_aggregated_resources(
        &self,
        _: Request<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Response<Self::DeltaAggregatedResourcesStream>, Status> {
        Err(Status::unimplemented("set api_type to GRPC: incremental xDS (DELTA_GRPC) is not served here"))
    }
}

/// Hands the requests of a node to the control plane until the stream ends.
async fn serve(
    hub: &Hub,
    mut requests: Streaming<DiscoveryRequest>,
    sender: &mpsc::Sender<Result<DiscoveryResponse, Status>>,
) -> Result<(), Status> {
    let first = tokio::select! {
        () = hub.stop.cancelled() => return Ok(()),
        first = tokio::time::timeout(INTRODUCTION, requests.message()) => first,
    };
    let first = first.map_err(|_| Status::deadline_exceeded("no request"))?;
    let Ok(Some(first)) = first else { return Ok(()) };
    let node = first.node.as_ref().map(|node| node.id.clone()).unwrap_or_default();
    let end = CancellationToken::new();
    let id = hub.connected(&node, sender.clone(), end.clone())?;
    tracing::info!(node, "a node has connected");
    let mut next = Some(first);
    while let Some(message) = next {
        if let Some(request) = convert::request(message) {
            if let Some(reason) = &request.refusal {
                tracing::warn!(node, kind = ?request.kind, chars = reason.len(), "a node refused what it was sent");
            }
            hub.tell(|control, now| control.request(id, &request, now));
        }
        next = tokio::select! {
            () = hub.stop.cancelled() => None,
            () = end.cancelled() => None,
            // Its responses have nowhere to go any more.
            () = sender.closed() => None,
            message = requests.message() => message.ok().flatten(),
        };
    }
    hub.closed(id);
    tracing::info!(node, "a stream of a node has ended");
    Ok(())
}
