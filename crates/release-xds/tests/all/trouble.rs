//! Takeovers while something goes wrong: nothing is retired before all that count have confirmed, and whoever waits is told
//! what is waited for.

use crate::link::Link;
use crate::plane::Plane;
use crate::rig::{Release, Site, Traffic, envoy, envoy_with, envoys, failed, label};
use release_core::{Action, Command, Phase, Routing, Stage, Version};
use release_engine::EngineError;
use release_testkit::envoy::{EnvoyProcess, Outcome};
use release_xds::control::Settings;
use serde_json::json;
use std::time::{Duration, Instant};

/// How long callers wait here for the end of a takeover that does not come.
const PATIENCE: Duration = Duration::from_secs(4);

struct Scene {
    site: Site,
    plane: Plane,
    envoys: Vec<EnvoyProcess>,
    /// Of s0, from v1 to v2; half of the requests go to each.
    release: Release,
}

impl Scene {
    /// With two Envoys.
    async fn start() -> Self {
        let site = Site::start(1).await;
        let plane = Plane::impatient(&site, Settings { min_nodes: 2, ..Settings::default() }, PATIENCE).await;
        let envoys = envoys(plane.mesh.address(), 2).await;
        Self::with(site, plane, envoys).await
    }

    async fn with(site: Site, plane: Plane, envoys: Vec<EnvoyProcess>) -> Self {
        let release = Release::new(0, 0, &label("v1"), &label("v2"));
        release.start(&plane.engine).await;
        Self { site, plane, envoys, release }
    }

    /// Asks for an end that does not come, and returns what the caller is told.
    async fn end_waits(&self) -> String {
        match self.release.delete(&self.plane.engine, Action::End).await {
            Err(error @ EngineError::NotFinished { .. }) => {
                assert_eq!(self.site.retirement.retired(), [""; 0], "nothing is retired");
                // What is waited for is in the task's failure, which the API shows.
                format!("{error:?}")
            }
            other => panic!("{other:?}"),
        }
    }

    async fn end(&self) -> Instant {
        self.release.delete(&self.plane.engine, Action::End).await.unwrap();
        assert_eq!(self.site.retirement.retired(), ["s0-0 v1"]);
        Instant::now()
    }

    async fn phase(&self) -> Phase {
        self.plane.engine.get(&self.release.spec.key).await.unwrap().record.task.phase()
    }
}

const ROUTING: Phase = Phase::Closing(Action::End, Stage::Routing);

#[tokio::test]
async fn a_killed_envoy_is_waited_for_until_it_is_forgotten() {
    let mut scene = Scene::start().await;
    scene.envoys.remove(1).kill();
    let told = scene.end_waits().await;
    assert!(told.contains("envoy-2") && !told.contains("envoy-1"), "{told}");
    assert_eq!(scene.phase().await, ROUTING);
    scene.plane.mesh.forget("envoy-1").unwrap_err();
    scene.plane.mesh.forget("envoy-2").unwrap();
    // One node is too few for `min_nodes`.
    let told = scene.end_waits().await;
    assert!(!told.contains("envoy-2"), "{told}");
    let _another = envoy(scene.plane.mesh.address(), "envoy-3").await;
    let traffic = Traffic::start(&scene.envoys, 1, 40, &[]);
    scene.end().await;
    assert_eq!(failed(&traffic.stop().await), [""; 0]);
}

#[tokio::test]
async fn an_envoy_that_is_killed_in_the_middle_and_comes_back_confirms() {
    let mut scene = Scene::start().await;
    scene.envoys[1].pause().unwrap();
    let told = scene.end_waits().await;
    assert!(told.contains("envoy-2"), "{told}");
    scene.envoys.remove(1).kill();
    let again = envoy(scene.plane.mesh.address(), "envoy-2").await;
    let traffic = Traffic::start([&scene.envoys[0], &again], 1, 40, &[]);
    scene.end().await;
    assert_eq!(failed(&traffic.stop().await), [""; 0]);
}

#[tokio::test]
async fn a_paused_envoy_is_waited_for_and_one_that_joins_gets_the_newest() {
    let scene = Scene::start().await;
    scene.envoys[1].pause().unwrap();
    let told = scene.end_waits().await;
    assert!(told.contains("envoy-2") && !told.contains("envoy-1"), "{told}");
    let joined = envoy(scene.plane.mesh.address(), "envoy-3").await;
    let traffic = Traffic::start([&scene.envoys[0], &joined], 1, 40, &[]);
    let told = scene.end_waits().await;
    assert!(told.contains("envoy-2") && !told.contains("envoy-3"), "{told}");
    let outcomes = traffic.stop().await;
    assert_eq!(failed(&outcomes), [""; 0]);
    assert_eq!(answered_by(&outcomes, "v1"), 0, "the others have moved on");
    scene.envoys[1].resume().unwrap();
    scene.end().await;
    let witnesses = format!("{:?}", scene.plane.engine.get(&scene.release.spec.key).await.unwrap().record.task);
    assert!(["envoy-1", "envoy-2", "envoy-3"].iter().all(|node| witnesses.contains(node)), "{witnesses}");
}

#[tokio::test]
async fn an_envoy_that_is_cut_off_goes_on_and_is_waited_for() {
    let site = Site::start(1).await;
    let plane = Plane::impatient(&site, Settings { min_nodes: 2, ..Settings::default() }, PATIENCE).await;
    let link = Link::to(plane.mesh.address()).await;
    let both = vec![envoy(plane.mesh.address(), "envoy-1").await, envoy(link.address, "envoy-2").await];
    let scene = Scene::with(site, plane, both).await;
    link.cut();
    let traffic = Traffic::start(&scene.envoys[1..], 1, 40, &[]);
    let told = scene.end_waits().await;
    assert!(told.contains("envoy-2") && !told.contains("envoy-1"), "{told}");
    let outcomes = traffic.stop().await;
    assert_eq!(failed(&outcomes), [""; 0], "the loser is there as long as somebody routes to it");
    assert!(answered_by(&outcomes, "v1") > 0);
    link.mend();
    scene.end().await;
}

#[tokio::test]
async fn a_fence_ends_the_wait_for_an_envoy_that_is_cut_off() {
    let site = Site::start(1).await;
    let settings = Settings { fence: Some(Duration::from_secs(2)), ..Settings::default() };
    let plane = Plane::impatient(&site, settings, Duration::from_secs(30)).await;
    let link = Link::to(plane.mesh.address()).await;
    let both = vec![envoy(plane.mesh.address(), "envoy-1").await, envoy(link.address, "envoy-2").await];
    let scene = Scene::with(site, plane, both).await;
    // It is told that the loser's cluster ends unless it hears of it again, and nothing else.
    link.deafen_after_the_next_message();
    let near = Traffic::start(&scene.envoys[..1], 1, 40, &[]);
    let cut_off = Traffic::start(&scene.envoys[1..], 1, 40, &[]);
    let over = scene.end().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(failed(&near.stop().await), [""; 0]);
    let outcomes = cut_off.stop().await;
    let late = outcomes.iter().filter(|(_, outcome)| outcome.due > over);
    let (to_loser, refused): (Vec<_>, Vec<_>) = late
        .filter(|(_, outcome)| outcome.answer.as_deref() != Ok("v2"))
        .partition(|(_, outcome)| outcome.answer.is_ok());
    assert_eq!(to_loser.len(), 0, "nothing reaches the loser");
    assert!(refused.iter().all(|(_, outcome)| is_503(outcome)) && !refused.is_empty(), "{:?}", failed(&outcomes));
}

#[tokio::test]
async fn an_envoy_that_refuses_is_named_with_its_reason_and_does_not_hinder_a_takeover() {
    let site = Site::start(1).await;
    let plane = Plane::impatient(&site, Settings { min_nodes: 2, ..Settings::default() }, PATIENCE).await;
    let address = plane.mesh.address();
    // It compiles no regular expression at all.
    let strict = json!({"re2": {"max_program_size": {"error_level": 1}}});
    let both = vec![envoy(address, "envoy-1").await, envoy_with(address, "envoy-2", strict).await];
    let scene = Scene::with(site, plane, both).await;
    let engine = &scene.plane.engine;
    let rule = json!({"content": [[{"header": {"name": "x-group", "value": {"regex": "beta-[0-9]"}}}]]});
    let content: Routing = serde_json::from_value(rule).unwrap();
    engine.command(&scene.release.spec.key, Command::SetRouting(content)).await.unwrap();
    let stored = scene.release.until(engine, |stored| stored.record.task.failure().is_some()).await;
    let reason = format!("{:?}", stored.record.task.failure());
    assert!(reason.contains("envoy-2") && reason.contains("RE2 program size"), "{reason}");
    let traffic = Traffic::start(&scene.envoys, 1, 40, &[]);
    scene.end().await;
    assert_eq!(failed(&traffic.stop().await), [""; 0]);
}

#[tokio::test]
async fn the_upstream_of_the_loser_dies_in_the_middle() {
    let scene = Scene::start().await;
    scene.envoys[1].pause().unwrap();
    scene.end_waits().await;
    scene.site.kill(0, Version::Original);
    scene.envoys[1].resume().unwrap();
    scene.end().await;
    let traffic = Traffic::start(&scene.envoys, 1, 40, &[]);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(failed(&traffic.stop().await), [""; 0]);
}

#[tokio::test]
async fn no_traffic_moves_to_a_survivor_that_is_not_ready() {
    let scene = Scene::start().await;
    let survivor = scene.site.upstream(0, &label("v2"));
    survivor.set_healthy(false);
    let told = scene.end_waits().await;
    assert!(told.contains("0 of 1 endpoints are healthy") && told.contains("503"), "{told}");
    assert_eq!(scene.phase().await, Phase::Closing(Action::End, Stage::Preparing));
    let traffic = Traffic::start(&scene.envoys, 1, 40, &[]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let outcomes = traffic.stop().await;
    let original = answered_by(&outcomes, "v1");
    assert!(original > 0 && original < outcomes.len(), "half of the requests still go to each: {original}");
    survivor.set_healthy(true);
    scene.end().await;
}

fn answered_by(outcomes: &[(usize, Outcome)], version: &str) -> usize {
    outcomes.iter().filter(|(_, outcome)| outcome.answer.as_deref() == Ok(version)).count()
}

fn is_503(outcome: &Outcome) -> bool {
    outcome.answer.as_ref().is_err_and(|failure| failure.starts_with("503"))
}
