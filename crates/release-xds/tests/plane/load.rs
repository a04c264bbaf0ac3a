//! Load reports: they make a drain wait longer, and say what its limit has cut off.

use crate::fixture::{Fixture, apply};
use envoy_types::pb::envoy::config::endpoint::v3::{ClusterStats, UpstreamLocalityStats};
use envoy_types::pb::envoy::service::load_stats::v3::load_reporting_service_client::LoadReportingServiceClient;
use envoy_types::pb::envoy::service::load_stats::v3::{LoadStatsRequest, LoadStatsResponse};
use release_core::{Generation, Report, Step, Version};
use std::net::SocketAddr;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::Streaming;

/// A node that reports its load.
struct Reporter {
    reports: mpsc::UnboundedSender<LoadStatsRequest>,
    wanted: Streaming<LoadStatsResponse>,
}

impl Reporter {
    async fn connect(address: SocketAddr) -> Self {
        let mut client = LoadReportingServiceClient::connect(format!("http://{address}")).await.unwrap();
        let (reports, outgoing) = mpsc::unbounded_channel();
        // The first one says who it is.
        reports.send(LoadStatsRequest::default()).unwrap();
        let mut wanted = client.stream_load_stats(UnboundedReceiverStream::new(outgoing)).await.unwrap().into_inner();
        let first = wanted.message().await.unwrap().unwrap();
        assert!(first.send_all_clusters && first.load_reporting_interval.is_some());
        Self { reports, wanted }
    }

    /// Returns when the control plane has taken it in.
    async fn ends(mut self) {
        drop(self.reports);
        assert_eq!(self.wanted.message().await.unwrap(), None);
    }

    /// So many requests are in progress to the original version.
    fn reports(&self, total_requests_in_progress: u64) {
        let locality = UpstreamLocalityStats { total_requests_in_progress, ..UpstreamLocalityStats::default() };
        let stats = ClusterStats {
            cluster_name: "mesh-1/shop/cart/v1".into(),
            upstream_locality_stats: vec![locality],
            ..ClusterStats::default()
        };
        self.reports.send(LoadStatsRequest { cluster_stats: vec![stats], ..LoadStatsRequest::default() }).unwrap();
    }
}

const DRAIN: Step = Step::Drain { generation: Generation::new(3), version: Version::Original };

/// Performs the drain until it succeeds, and returns what it says.
async fn drained(fixture: &Fixture) -> String {
    match fixture.performs(&DRAIN, |report| matches!(report, Report::Drained { .. })).await {
        Report::Drained { evidence, .. } => evidence.to_string(),
        report => panic!("{report:?}"),
    }
}

/// A mesh in which a takeover is about to drain the original version, and what was reported before that.
async fn draining(before: &[u64]) -> (Fixture, Reporter, impl Sized) {
    let fixture = Fixture::start().await;
    let node = fixture.node("envoy-1").await;
    let reporter = Reporter::connect(fixture.mesh.address()).await;
    for step in [apply(2, Version::Original), apply(3, Version::Grayscale)] {
        for count in before {
            reporter.reports(*count);
        }
        fixture.performs(&step, |report| matches!(report, Report::Confirmed { .. })).await;
    }
    (fixture, reporter, node)
}

#[tokio::test]
async fn what_is_in_progress_is_waited_for_and_what_the_limit_ends_is_said() {
    let (fixture, reporter, _node) = draining(&[3]).await;
    // Longer than the limit of a second: it is over, and still something is in progress.
    let waiting = "requests are in progress by the load reports";
    let waits = |report: &Report| matches!(report, Report::Failed { reason, .. } if reason.as_str() == waiting);
    fixture.performs(&DRAIN, waits).await;
    assert_eq!(fixture.mesh.cut_off(), 0);
    reporter.reports(0);
    let evidence = drained(&fixture).await;
    assert!(evidence.ends_with("; 3 requests in progress were cut off by max_stream_duration"), "{evidence}");
    assert_eq!(fixture.mesh.cut_off(), 3);
}

#[tokio::test]
async fn what_has_ended_by_itself_was_not_cut_off() {
    let (fixture, _reporter, _node) = draining(&[3, 0]).await;
    let evidence = drained(&fixture).await;
    assert!(evidence.ends_with("; load reports show nothing in progress"), "{evidence}");
    assert_eq!(fixture.mesh.cut_off(), 0);
}

#[tokio::test]
async fn without_reports_the_limit_alone_is_what_is_known() {
    let (fixture, reporter, _node) = draining(&[]).await;
    reporter.ends().await;
    let evidence = drained(&fixture).await;
    assert!(evidence.ends_with("; there are no load reports"), "{evidence}");
}
