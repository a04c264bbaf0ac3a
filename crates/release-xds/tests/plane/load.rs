//! Load reports: they make a drain wait longer, and say what its limit has cut off.

use crate::fixture::{Fixture, LIMIT, apply, spec};
use envoy_types::pb::envoy::config::endpoint::v3::{ClusterStats, UpstreamLocalityStats};
use envoy_types::pb::envoy::service::load_stats::v3::LoadStatsRequest;
use envoy_types::pb::envoy::service::load_stats::v3::load_reporting_service_client::LoadReportingServiceClient;
use release_core::{Generation, Report, Step, Version};
use release_engine::Mesh as _;
use std::net::SocketAddr;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::UnboundedReceiverStream;

/// A node that reports its load.
struct Reporter(mpsc::UnboundedSender<LoadStatsRequest>);

impl Reporter {
    async fn connect(address: SocketAddr) -> Self {
        let mut client = LoadReportingServiceClient::connect(format!("http://{address}")).await.unwrap();
        let (reports, outgoing) = mpsc::unbounded_channel();
        let reporter = Self(reports);
        // The first one says who it is.
        reporter.0.send(LoadStatsRequest::default()).unwrap();
        let mut wanted = client.stream_load_stats(UnboundedReceiverStream::new(outgoing)).await.unwrap().into_inner();
        let wanted = wanted.message().await.unwrap().unwrap();
        assert!(wanted.send_all_clusters && wanted.load_reporting_interval.is_some());
        reporter
    }

    /// So many requests are in progress to the original version.
    fn reports(&self, total_requests_in_progress: u64) {
        let locality = UpstreamLocalityStats { total_requests_in_progress, ..UpstreamLocalityStats::default() };
        let stats = ClusterStats {
            cluster_name: "mesh-1/shop/cart/v1".into(),
            upstream_locality_stats: vec![locality],
            ..ClusterStats::default()
        };
        self.0.send(LoadStatsRequest { cluster_stats: vec![stats], ..LoadStatsRequest::default() }).unwrap();
    }
}

const DRAIN: Step = Step::Drain { generation: Generation::new(3), version: Version::Original };

/// Performs the drain until it succeeds or fails for another reason than that.
async fn drained(fixture: &Fixture, but_not: &str) -> String {
    let drained = async {
        loop {
            match fixture.mesh.perform(&spec("a"), &DRAIN).await {
                Report::Drained { evidence, .. } => return evidence.to_string(),
                Report::Failed { reason, .. } if reason.as_str() == but_not => {}
                report => panic!("{report:?}"),
            }
        }
    };
    timeout(LIMIT, drained).await.unwrap()
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
        let confirmed = timeout(LIMIT, fixture.mesh.perform(&spec("a"), &step)).await.unwrap();
        assert!(matches!(confirmed, Report::Confirmed { .. }), "{confirmed:?}");
    }
    (fixture, reporter, node)
}

#[tokio::test]
async fn what_is_in_progress_is_waited_for_and_what_the_limit_ends_is_said() {
    let (fixture, reporter, _node) = draining(&[3]).await;
    // Longer than the limit of a second: it is over, and still something is in progress.
    let waiting = "requests are in progress by the load reports";
    let report = async {
        loop {
            match fixture.mesh.perform(&spec("a"), &DRAIN).await {
                Report::Failed { reason, .. } if reason.as_str() == waiting => return,
                Report::Failed { .. } => {}
                report => panic!("{report:?}"),
            }
        }
    };
    timeout(LIMIT, report).await.unwrap();
    assert_eq!(fixture.mesh.cut_off(), 0);
    reporter.reports(0);
    let evidence = drained(&fixture, waiting).await;
    assert!(evidence.ends_with("; 3 requests in progress were cut off by max_stream_duration"), "{evidence}");
    assert_eq!(fixture.mesh.cut_off(), 3);
}

#[tokio::test]
async fn what_has_ended_by_itself_was_not_cut_off() {
    let (fixture, _reporter, _node) = draining(&[3, 0]).await;
    let evidence = drained(&fixture, "").await;
    assert!(evidence.ends_with("; load reports show nothing in progress"), "{evidence}");
    assert_eq!(fixture.mesh.cut_off(), 0);
}

#[tokio::test]
async fn without_reports_the_limit_alone_is_what_is_known() {
    let (fixture, reporter, _node) = draining(&[]).await;
    drop(reporter);
    let evidence = drained(&fixture, "").await;
    assert!(evidence.ends_with("; there are no load reports"), "{evidence}");
}
