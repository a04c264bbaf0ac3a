//! The steps of a release.

use crate::fixture::{Fixture, LIMIT, apply, spec};
use release_core::{Action, Generation, ReleaseTask, Report, Step, Version};
use release_engine::Mesh as _;
use release_testkit::conformance;
use release_xds::service::Kind;
use release_xds::testkit::Manner;
use std::time::Duration;

fn reason(report: &Report) -> &str {
    match report {
        Report::Failed { reason, .. } => reason.as_str(),
        report => panic!("it did not fail: {report:?}"),
    }
}

#[tokio::test]
async fn it_conforms() {
    let fixture = Fixture::start().await;
    let nodes = [fixture.node("envoy-1").await, fixture.node("envoy-2").await];
    let routes = async || nodes.each_ref().map(|node| node.running(Kind::Route).map(|response| response.resources));
    conformance::mesh::steps(&fixture.mesh, Action::Cancel, &spec("a"), LIMIT, routes).await.unwrap();
}

#[tokio::test]
async fn nobody_confirms_nothing() {
    let fixture = Fixture::start().await;
    conformance::mesh::nobody(&fixture.mesh, &spec("a"), Duration::from_secs(3)).await.unwrap();
    let report = fixture.mesh.perform(&spec("a"), &apply(3, Version::Original)).await;
    assert_eq!(reason(&report), "too few nodes are known: 0 have confirmed the routing");
}

#[tokio::test]
async fn a_refusal_names_the_node_and_not_the_configuration() {
    let fixture = Fixture::start().await;
    let (good, bad) = (fixture.node("envoy-1").await, fixture.node("envoy-2").await);
    let mesh = &fixture.mesh;
    assert!(matches!(mesh.perform(&spec("a"), &apply(2, Version::Original)).await, Report::Confirmed { .. }));
    bad.behave(Manner::Refuses("unknown cluster 'mesh-1/shop/cart/v2' with \"s3cret\" {name: s3cret}".into()));
    let report = mesh.perform(&spec("a"), &apply(3, Version::Grayscale)).await;
    assert_eq!(
        reason(&report),
        "node envoy-2 refuses its configuration, in which the routes of mesh-1/shop/cart are new to it: unknown cluster 'mesh-1/shop/cart/v2' with \"…\"…"
    );
    assert!(mesh.nodes()[1].refusal.is_some());
    // It is sent again when it is asked for again.
    bad.behave(Manner::Takes);
    let report = mesh.perform(&spec("a"), &apply(3, Version::Grayscale)).await;
    let Report::Confirmed { by, .. } = report else { panic!("{report:?}") };
    assert_eq!(by.to_string(), "envoy-1, envoy-2");
    drop(good);
}

#[tokio::test]
async fn a_node_that_is_cut_off_blocks_until_it_is_back_or_forgotten() {
    let fixture = Fixture::start().await;
    let (_first, second) = (fixture.node("envoy-1").await, fixture.node("envoy-2").await);
    let mesh = &fixture.mesh;
    assert!(matches!(mesh.perform(&spec("a"), &apply(2, Version::Original)).await, Report::Confirmed { .. }));
    second.has(Kind::Route).await;
    drop(second);
    let report = mesh.perform(&spec("a"), &apply(3, Version::Grayscale)).await;
    let said = reason(&report);
    assert!(said.starts_with("waits for node envoy-2 (cut off since 20"), "{said}");
    mesh.forget("envoy-2").await.unwrap();
    assert!(matches!(mesh.perform(&spec("a"), &apply(3, Version::Grayscale)).await, Report::Confirmed { .. }));
    assert!(mesh.forget("envoy-2").await.is_err() && mesh.forget("envoy-1").await.is_err());
}

#[tokio::test]
async fn what_is_known_of_nodes_and_releases_survives_a_restart() {
    let mut fixture = Fixture::start().await;
    let nodes = [fixture.node("envoy-1").await, fixture.node("envoy-2").await];
    let confirmed = fixture.mesh.perform(&spec("a"), &apply(2, Version::Original)).await;
    assert!(matches!(confirmed, Report::Confirmed { .. }));
    drop(nodes);
    fixture.restart().await;
    let known: Vec<_> = fixture.mesh.nodes().into_iter().map(|node| (node.id, node.connected)).collect();
    assert_eq!(known, [("envoy-1".to_owned(), false), ("envoy-2".to_owned(), false)]);
    let _first = fixture.node("envoy-1").await;
    let report = fixture.mesh.perform(&spec("a"), &apply(3, Version::Grayscale)).await;
    assert!(reason(&report).starts_with("waits for node envoy-2 (cut off since 20"), "{report:?}");
    let older = fixture.mesh.perform(&spec("a"), &apply(2, Version::Original)).await;
    assert_eq!(reason(&older), "generation 2 is not applied: 3 was already");
    let _second = fixture.node("envoy-2").await;
    let confirmed = fixture.mesh.perform(&spec("a"), &apply(3, Version::Grayscale)).await;
    assert!(matches!(confirmed, Report::Confirmed { .. }));
}

#[tokio::test]
async fn the_hook_is_told_the_facts_once_and_only_after_the_cluster_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let (script, log) = (folder.path().join("retire.sh"), folder.path().join("log"));
    std::fs::write(&script, format!("echo \"$@\" >> {}\n", log.display())).unwrap();
    let more = format!("retire-command = [\"sh\", \"{}\"]", script.display());
    let fixture = Fixture::start_with(release_xds::control::Settings::default(), &more).await;
    let node = fixture.node("envoy-1").await;
    let (mesh, spec) = (&fixture.mesh, spec("a"));
    assert!(matches!(mesh.perform(&spec, &apply(2, Version::Original)).await, Report::Confirmed { .. }));
    let (generation, version) = (Generation::new(2), Version::Grayscale);
    assert!(matches!(mesh.perform(&spec, &Step::Drain { generation, version }).await, Report::Drained { .. }));
    let retire = Step::Retire { generation, version };
    for _ in 0..2 {
        let report = mesh.perform(&spec, &retire).await;
        assert!(matches!(report, Report::Retired { .. }), "{report:?}");
        assert_eq!(node.running(Kind::Cluster).unwrap().resources.len(), 1);
    }
    let told =
        "--mesh-id mesh-1 --namespace shop --service cart --release a --version v2 --survivor v1 --generation 2\n";
    assert_eq!(std::fs::read_to_string(&log).unwrap(), told);
}

#[tokio::test]
async fn without_its_state_file_a_mesh_drains_no_release_that_was_open() {
    let fixture = Fixture::start().await;
    let _node = fixture.node("envoy-1").await;
    fixture.mesh.restore(&[ReleaseTask::new(spec("a")).unwrap()]).await;
    assert!(matches!(fixture.mesh.perform(&spec("a"), &apply(2, Version::Original)).await, Report::Confirmed { .. }));
    let drain = Step::Drain { generation: Generation::new(2), version: Version::Grayscale };
    let report = fixture.mesh.perform(&spec("a"), &drain).await;
    assert!(reason(&report).starts_with("the state file was missing at a start"), "{report:?}");
}
