//! Load reports: how many requests are in progress to which cluster.

use super::hub::Hub;
use crate::envoy::duration;
use envoy_types::pb::envoy::service::load_stats::v3::load_reporting_service_server::LoadReportingService;
use envoy_types::pb::envoy::service::load_stats::v3::{LoadStatsRequest, LoadStatsResponse};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

pub(crate) struct Lrs(pub(crate) Arc<Hub>);

/// How often a node reports.
const INTERVAL: Duration = Duration::from_secs(1);

#[tonic::async_trait]
impl LoadReportingService for Lrs {
    type StreamLoadStatsStream = ReceiverStream<Result<LoadStatsResponse, Status>>;

    async fn stream_load_stats(
        &self,
        request: Request<Streaming<LoadStatsRequest>>,
    ) -> Result<Response<Self::StreamLoadStatsStream>, Status> {
        let hub = Arc::clone(&self.0);
        let room = Arc::clone(&hub.room_for_reports)
            .try_acquire_owned()
            .map_err(|_| Status::resource_exhausted("too many nodes report"))?;
        let (sender, responses) = mpsc::channel(1);
        let wanted = LoadStatsResponse {
            send_all_clusters: true,
            load_reporting_interval: Some(duration(INTERVAL)),
            ..LoadStatsResponse::default()
        };
        let _ = sender.try_send(Ok(wanted));
        let mut requests = request.into_inner();
        tokio::spawn(async move {
            let source = hub.source();
            while let Some(report) = tokio::select! {
                () = hub.stop.cancelled() => None,
                () = sender.closed() => None,
                message = requests.message() => message.ok().flatten(),
            } {
                let in_progress = in_progress(&report);
                hub.tell(|control, now| control.load(source, in_progress, now));
            }
            hub.tell(|control, _| control.load_ended(source));
            drop(room);
        });
        Ok(Response::new(ReceiverStream::new(responses)))
    }
}

fn in_progress(report: &LoadStatsRequest) -> BTreeMap<String, u64> {
    let mut clusters = BTreeMap::new();
    for stats in &report.cluster_stats {
        let localities = stats.upstream_locality_stats.iter();
        let count: u64 = localities.map(|locality| locality.total_requests_in_progress).sum();
        *clusters.entry(stats.cluster_name.clone()).or_default() += count;
    }
    clusters
}
