//! The steps of a release.

use crate::fixture::{Fixture, LIMIT, apply, spec};
use envoy_types::pb::envoy::config::route::v3::route::Action as Target;
use envoy_types::pb::envoy::config::route::v3::route_action::ClusterSpecifier;
use envoy_types::pb::envoy::config::route::v3::{RouteAction, RouteConfiguration};
use prost::Message as _;
use release_core::{Action, Generation, ReleaseSpec, ReleaseTask, Report, Step, Version};
use release_engine::Mesh as _;
use release_testkit::conformance;
use release_xds::NotServing;
use release_xds::control::Settings;
use release_xds::service::Kind;
use release_xds::testkit::{Manner, SimulatedNode};
use std::collections::BTreeSet;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::Mutex;

fn reason(report: &Report) -> &str {
    match report {
        Report::Failed { reason, .. } => reason.as_str(),
        report => panic!("it did not fail: {report:?}"),
    }
}

fn fails(report: &Report, reason: &str) -> bool {
    matches!(report, Report::Failed { reason: said, .. } if said.as_str().starts_with(reason))
}

fn is_confirmed(report: &Report) -> bool {
    matches!(report, Report::Confirmed { .. })
}

/// What a step says that waits for that node, and for no other.
const CUT_OFF: &str = "waits for node envoy-2 (cut off since 20";

const ACTIONS: [Action; 2] = [Action::Cancel, Action::End];

#[tokio::test]
async fn it_conforms() {
    for action in ACTIONS {
        let fixture = Fixture::start().await;
        let nodes = fixture.two_nodes().await;
        let routes = async || nodes.each_ref().map(routes_to);
        conformance::mesh::steps(&fixture.mesh, action, &spec("a"), LIMIT, routes).await.unwrap();
    }
}

/// The nodes live on, and so does the state file.
#[tokio::test]
async fn it_conforms_through_restarts() {
    for action in ACTIONS {
        let fixture = Fixture::start().await;
        let nodes = fixture.two_nodes().await;
        let world = Mutex::new((fixture, nodes));
        let adapter = async || {
            let (fixture, nodes) = &mut *world.lock().await;
            fixture.restart().await;
            for node in nodes {
                node.reconnect(fixture.mesh.address()).await.unwrap();
            }
            fixture.mesh.clone()
        };
        conformance::mesh::restarts(adapter, action, &spec("a"), LIMIT).await.unwrap();
    }
}

#[tokio::test]
async fn a_step_of_a_release_that_was_closed_harms_none_that_is_newer() {
    for action in ACTIONS {
        let hook = Hook::new();
        let fixture = Fixture::start_with(Settings::default(), &hook.line).await;
        let nodes = fixture.two_nodes().await;
        let closed = spec("a");
        // The version that has lost is the grayscale version again.
        let (original, grayscale) = (closed.label(action.survivor()).clone(), closed.label(action.loser()).clone());
        let has_all = BTreeSet::from([format!("mesh-1/shop/cart/{grayscale}")]);
        let newer = ReleaseSpec { original, grayscale, ..spec("b") };
        let unharmed = async || {
            let calls = hook.calls();
            if calls.len() != 1 {
                return Err(format!("the workloads were retired by {calls:?}"));
            }
            let routes = nodes.each_ref().map(routes_to);
            if routes.iter().all(|clusters| *clusters == has_all) { Ok(()) } else { Err(format!("{routes:?}")) }
        };
        conformance::mesh::stale_steps(&fixture.mesh, action, &closed, &newer, LIMIT, unharmed).await.unwrap();
    }
}

/// The clusters that a node routes to.
fn routes_to(node: &SimulatedNode) -> BTreeSet<String> {
    let routes = node.running(Kind::Route).unwrap().resources;
    let routes = routes.iter().map(|body| RouteConfiguration::decode(&*body.value).unwrap());
    let routes = routes.flat_map(|routes| routes.virtual_hosts).flat_map(|host| host.routes);
    let clusters = routes.map(|route| match route.action {
        Some(Target::Route(RouteAction { cluster_specifier: Some(ClusterSpecifier::Cluster(name)), .. })) => name,
        action => panic!("{action:?}"),
    });
    clusters.collect()
}

/// A retire hook that writes down what it is called with.
struct Hook {
    folder: TempDir,
    /// The line of the services file.
    line: String,
}

impl Hook {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (script, log) = (folder.path().join("retire.sh"), folder.path().join("log"));
        std::fs::write(&script, format!("echo \"$@\" >> {}\n", log.display())).unwrap();
        Self { line: format!("retire-command = [\"sh\", \"{}\"]", script.display()), folder }
    }

    /// The arguments of each call, in their order.
    fn calls(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn nobody_confirms_nothing() {
    let fixture = Fixture::start().await;
    conformance::mesh::nobody(&fixture.mesh, &spec("a"), Duration::from_secs(3)).await.unwrap();
    let report = fixture.mesh.perform(&spec("a"), &apply(3, Version::Original)).await;
    assert_eq!(reason(&report), "too few nodes are known: 0 have confirmed the routing");
}

/// Two nodes that have the routes of a release's beginning.
async fn with_routes(fixture: &Fixture) -> [SimulatedNode; 2] {
    let nodes = fixture.two_nodes().await;
    fixture.performs(&apply(2, Version::Original), is_confirmed).await;
    for node in &nodes {
        // One that had not asked for any yet is not waited for.
        assert!(node.has(Kind::Route).await);
    }
    nodes
}

#[tokio::test]
async fn a_refusal_names_the_node_and_not_the_configuration() {
    let fixture = Fixture::start().await;
    let [_good, bad] = with_routes(&fixture).await;
    bad.behave(Manner::Refuses("unknown cluster 'mesh-1/shop/cart/v2' with \"s3cret\" {name: s3cret}".into()));
    let report = fixture.performs(&apply(3, Version::Grayscale), |report| fails(report, "node envoy-2 refuses")).await;
    assert_eq!(
        reason(&report),
        "node envoy-2 refuses its configuration, in which the routes of mesh-1/shop/cart are new to it: unknown cluster 'mesh-1/shop/cart/v2' with \"…\"…"
    );
    assert!(fixture.mesh.nodes()[1].refusal.is_some());
    // It is sent again when it is asked for again.
    bad.behave(Manner::Takes);
    let report = fixture.performs(&apply(3, Version::Grayscale), is_confirmed).await;
    let Report::Confirmed { by, .. } = report else { panic!("{report:?}") };
    assert_eq!(by.to_string(), "envoy-1, envoy-2");
}

/// `release-server` has the test with a state file that can't be written.
#[tokio::test]
async fn it_says_when_it_serves_nobody_any_more() {
    let fixture = Fixture::start().await;
    assert_eq!(fixture.mesh.serves(), Ok(()));
    assert!(fixture.mesh.shutdown(LIMIT).await);
    assert_eq!(fixture.mesh.serves(), Err(NotServing::Ended));
}

#[tokio::test]
async fn a_node_that_is_cut_off_blocks_until_it_is_back_or_forgotten() {
    let fixture = Fixture::start().await;
    let [_first, second] = with_routes(&fixture).await;
    let mesh = &fixture.mesh;
    drop(second);
    fixture.performs(&apply(3, Version::Grayscale), |report| fails(report, CUT_OFF)).await;
    mesh.forget("envoy-2").await.unwrap();
    fixture.performs(&apply(3, Version::Grayscale), is_confirmed).await;
    assert!(mesh.forget("envoy-2").await.is_err() && mesh.forget("envoy-1").await.is_err());
}

#[tokio::test]
async fn what_is_known_of_nodes_and_releases_survives_a_restart() {
    let mut fixture = Fixture::start().await;
    drop(with_routes(&fixture).await);
    fixture.restart().await;
    let known: Vec<_> = fixture.mesh.nodes().into_iter().map(|node| (node.id, node.connected)).collect();
    assert_eq!(known, [("envoy-1".to_owned(), false), ("envoy-2".to_owned(), false)]);
    let _first = fixture.node("envoy-1").await;
    fixture.performs(&apply(3, Version::Grayscale), |report| fails(report, CUT_OFF)).await;
    let older = fixture.mesh.perform(&spec("a"), &apply(2, Version::Original)).await;
    assert_eq!(reason(&older), "generation 2 is not applied: 3 was already");
    let _second = fixture.node("envoy-2").await;
    fixture.performs(&apply(3, Version::Grayscale), is_confirmed).await;
}

#[tokio::test]
async fn the_hook_is_told_the_facts_once_and_only_after_the_cluster_is_gone() {
    let hook = Hook::new();
    let fixture = Fixture::start_with(Settings::default(), &hook.line).await;
    let node = fixture.node("envoy-1").await;
    fixture.performs(&apply(2, Version::Original), is_confirmed).await;
    let (generation, version) = (Generation::new(2), Version::Grayscale);
    fixture.performs(&Step::Drain { generation, version }, |report| matches!(report, Report::Drained { .. })).await;
    for _ in 0..2 {
        let retire = Step::Retire { generation, version };
        fixture.performs(&retire, |report| matches!(report, Report::Retired { .. })).await;
        assert_eq!(node.running(Kind::Cluster).unwrap().resources.len(), 1);
    }
    let told = "--mesh-id mesh-1 --namespace shop --service cart --release a --version v2 --survivor v1 --generation 2";
    assert_eq!(hook.calls(), [told]);
}

#[tokio::test]
async fn without_its_state_file_a_mesh_drains_no_release_that_was_open() {
    let fixture = Fixture::start().await;
    let _node = fixture.node("envoy-1").await;
    fixture.mesh.restore(&[ReleaseTask::new(spec("a")).unwrap()]).await;
    fixture.performs(&apply(2, Version::Original), is_confirmed).await;
    let drain = Step::Drain { generation: Generation::new(2), version: Version::Grayscale };
    let report = fixture.mesh.perform(&spec("a"), &drain).await;
    assert!(reason(&report).starts_with("the state file was missing at a start"), "{report:?}");
}
