//! Takeovers while something goes wrong: nothing is retired before all that count have confirmed, and whoever waits is told
//! what is waited for.

use crate::link::Link;
use crate::plane::Plane;
use crate::rig::{Release, Site, Traffic, envoy, envoy_with, envoys, failed, label};
use release_core::{Action, Command, Error, Phase, ReleaseTask, Routing, Stage, Version};
use release_engine::EngineError;
use release_testkit::envoy::{Bootstrap, EnvoyProcess, Outcome, Source};
use release_xds::control::Settings;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// How long callers wait here for the end of a takeover that does not come.
const PATIENCE: Duration = Duration::from_secs(4);

/// Two Envoys must have confirmed.
fn two() -> Settings {
    Settings { min_nodes: 2, ..Settings::default() }
}

struct Scene {
    site: Site,
    plane: Plane,
    envoys: Vec<EnvoyProcess>,
    /// Of s0, from v1 to v2; half of the requests go to each.
    release: Release,
    /// Through each of the Envoys that are well, from the beginning to the end.
    traffic: BTreeMap<usize, Traffic>,
}

impl Scene {
    /// With two Envoys.
    async fn start() -> Self {
        let site = Site::start(1).await;
        let plane = Plane::impatient(&site, two(), PATIENCE).await;
        let envoys = envoys(plane.mesh.address(), 2).await;
        Self::with(site, plane, envoys).await
    }

    /// With another one that compiles no regular expression at all, so that it refuses `by_expression`.
    async fn strict(services: usize) -> Self {
        let site = Site::start(services).await;
        let plane = Plane::impatient(&site, two(), PATIENCE).await;
        let address = plane.mesh.address();
        let strict = json!({"re2": {"max_program_size": {"error_level": 1}}});
        let both = vec![envoy(address, "envoy-1").await, envoy_with(address, "envoy-2", strict).await];
        Self::with(site, plane, both).await
    }

    async fn with(site: Site, plane: Plane, envoys: Vec<EnvoyProcess>) -> Self {
        let release = Release::new(0, 0, &label("v1"), &label("v2"));
        release.start(&plane.engine).await;
        let mut scene = Self { site, plane, envoys, release, traffic: BTreeMap::new() };
        (0..scene.envoys.len()).for_each(|at| scene.load(at));
        scene
    }

    /// From now on there is load through that Envoy.
    fn load(&mut self, at: usize) {
        self.traffic.insert(at, Traffic::start(self.envoys.get(at), 1, 20, &[]));
    }

    /// Ends the load through that Envoy, of which nothing may have failed.
    async fn unload(&mut self, at: usize) -> Vec<(usize, Outcome)> {
        let outcomes = self.traffic.remove(&at).unwrap().stop().await;
        assert_eq!(failed(&outcomes), [""; 0], "through envoy-{}", at + 1);
        outcomes
    }

    /// Nothing that was sent through the two Envoys before now is looked at any more.
    async fn load_anew(&mut self) {
        for at in [0, 1] {
            if self.traffic.contains_key(&at) {
                self.unload(at).await;
            }
            self.load(at);
        }
    }

    /// The requests that are under way in an Envoy when it stops would be late.
    async fn pause(&mut self, at: usize) {
        self.unload(at).await;
        self.envoys.get(at).unwrap().pause().unwrap();
    }

    /// Nothing has failed, and nothing has reached a version that was retired.
    async fn ends_well(mut self) {
        // For what would come late.
        tokio::time::sleep(Duration::from_millis(200)).await;
        while let Some(at) = self.traffic.keys().next().copied() {
            self.unload(at).await;
        }
        assert_eq!(self.site.knocks(), [""; 0]);
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

    /// Asks for an end again and again until the caller is told that it waits for these nodes and for none of the others.
    async fn end_waits_for(&self, nodes: &[&str], others: &[&str]) {
        let names = |told: &str, nodes: &[&str]| nodes.iter().filter(|node| told.contains(**node)).count();
        self.end_waits_until(|told| names(told, nodes) == nodes.len() && names(told, others) == 0).await;
    }

    /// Asks for an end again and again until the caller is told that.
    async fn end_waits_until(&self, is_it: impl Fn(&str) -> bool) {
        let mut told = String::new();
        let wait = async {
            while !is_it(&told) {
                told = self.end_waits().await;
            }
        };
        let waited = timeout(Duration::from_mins(1), wait).await;
        assert!(waited.is_ok(), "it is never what is waited for: {told}");
    }

    /// Asks for an action until it is told that it is done. One that waited goes on by itself, and may be done before it is asked
    /// for again.
    async fn closes(&self, action: Action) {
        let closed = async {
            loop {
                match self.release.delete(&self.plane.engine, action).await {
                    Ok(_) => return,
                    Err(EngineError::Refused { error: Error::Closed { action: closed, .. }, .. })
                        if closed == action =>
                    {
                        return;
                    }
                    Err(EngineError::NotFinished { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        };
        timeout(Duration::from_mins(1), closed).await.unwrap();
    }

    /// The same for an end. Returns when it was done.
    async fn end(&self) -> Instant {
        self.closes(Action::End).await;
        assert_eq!(self.site.retirement.retired(), ["s0-0 v1"]);
        Instant::now()
    }

    async fn phase(&self) -> Phase {
        self.plane.engine.get(&self.release.spec.key).await.unwrap().record.task.phase()
    }
}

/// What is said of the Envoy that compiles no expression.
fn is_refused(said: &str) -> bool {
    said.contains("envoy-2") && said.contains("RE2 program size")
}

/// What has an expression in it.
fn by_expression() -> Routing {
    let rule = json!({"header": {"name": "x-group", "value": {"regex": "beta-[0-9]"}}});
    serde_json::from_value(json!({"content": [[rule]]})).unwrap()
}

const ROUTING: Phase = Phase::Closing(Action::End, Stage::Routing);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_envoy_is_waited_for_until_it_is_forgotten() {
    let mut scene = Scene::start().await;
    scene.unload(1).await;
    scene.envoys.remove(1).kill();
    scene.end_waits_for(&["envoy-2"], &["envoy-1"]).await;
    assert_eq!(scene.phase().await, ROUTING);
    scene.plane.mesh.forget("envoy-1").await.unwrap_err();
    scene.plane.mesh.forget("envoy-2").await.unwrap();
    // One node is too few for `min_nodes`.
    scene.end_waits_for(&[], &["envoy-2"]).await;
    scene.envoys.push(envoy(scene.plane.mesh.address(), "envoy-3").await);
    scene.load(1);
    scene.end().await;
    scene.ends_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_envoy_that_is_killed_in_the_middle_and_comes_back_confirms() {
    let mut scene = Scene::start().await;
    scene.pause(1).await;
    scene.end_waits_for(&["envoy-2"], &[]).await;
    scene.envoys.remove(1).kill();
    scene.envoys.push(envoy(scene.plane.mesh.address(), "envoy-2").await);
    scene.load(1);
    scene.end().await;
    scene.ends_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_envoy_is_waited_for_and_one_that_joins_gets_the_newest() {
    let mut scene = Scene::start().await;
    scene.pause(1).await;
    scene.end_waits_for(&["envoy-2"], &["envoy-1"]).await;
    scene.envoys.push(envoy(scene.plane.mesh.address(), "envoy-3").await);
    scene.end_waits_for(&["envoy-2"], &["envoy-1", "envoy-3"]).await;
    scene.unload(0).await;
    for at in [0, 2] {
        scene.load(at);
    }
    scene.end_waits_for(&["envoy-2"], &["envoy-1", "envoy-3"]).await;
    for at in [0, 2] {
        assert_eq!(answered_by(&scene.unload(at).await, "v1"), 0, "the others have moved on");
        scene.load(at);
    }
    scene.envoys[1].resume().unwrap();
    scene.end().await;
    let witnesses = format!("{:?}", scene.plane.engine.get(&scene.release.spec.key).await.unwrap().record.task);
    assert!(["envoy-1", "envoy-2", "envoy-3"].iter().all(|node| witnesses.contains(node)), "{witnesses}");
    scene.ends_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_envoy_that_is_cut_off_goes_on_and_is_waited_for() {
    let site = Site::start(1).await;
    let plane = Plane::impatient(&site, two(), PATIENCE).await;
    let link = Link::to(plane.mesh.address()).await;
    let both = vec![envoy(plane.mesh.address(), "envoy-1").await, envoy(link.address, "envoy-2").await];
    let mut scene = Scene::with(site, plane, both).await;
    link.cut();
    scene.unload(1).await;
    scene.load(1);
    scene.end_waits_for(&["envoy-2"], &["envoy-1"]).await;
    assert!(answered_by(&scene.unload(1).await, "v1") > 0, "the loser is there as long as somebody routes to it");
    scene.load(1);
    link.mend();
    scene.end().await;
    scene.ends_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fence_ends_the_wait_for_an_envoy_that_is_cut_off() {
    let site = Site::start(1).await;
    let settings = Settings { fence: Some(Duration::from_secs(6)), ..Settings::default() };
    let plane = Plane::impatient(&site, settings, Duration::from_mins(1)).await;
    let link = Link::to(plane.mesh.address()).await;
    let both = vec![envoy(plane.mesh.address(), "envoy-1").await, envoy(link.address, "envoy-2").await];
    let mut scene = Scene::with(site, plane, both).await;
    // It is told that the loser's cluster ends unless it hears of it again, and nothing else.
    link.deafen_after_the_next_message();
    let cut_off = scene.traffic.remove(&1).unwrap();
    let over = scene.end().await;
    let mut outcomes = cut_off.stop().await;
    // Half of the requests were the loser's.
    let some = async {
        while !outcomes.iter().any(|(_, outcome)| outcome.sent > over && outcome.answer.is_err()) {
            outcomes.extend(Traffic::start(&scene.envoys[1..], 1, 20, &[]).stop().await);
        }
    };
    timeout(Duration::from_mins(1), some).await.unwrap();
    let late = outcomes.iter().filter(|(_, outcome)| outcome.sent > over);
    let (to_loser, refused): (Vec<_>, Vec<_>) = late
        .filter(|(_, outcome)| outcome.answer.as_deref() != Ok("v2"))
        .partition(|(_, outcome)| outcome.answer.is_ok());
    assert_eq!(to_loser.len(), 0, "nothing reaches the loser");
    assert!(refused.iter().all(|(_, outcome)| is_503(outcome)), "{:?}", failed(&outcomes));
    scene.ends_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_envoy_that_refuses_is_named_with_its_reason_and_does_not_hinder_a_takeover() {
    let scene = Scene::strict(1).await;
    let engine = &scene.plane.engine;
    engine.command(&scene.release.spec.key, Command::SetRouting(by_expression())).await.unwrap();
    scene.release.until(engine, |stored| is_refused(&format!("{:?}", stored.record.task.failure()))).await;
    scene.end().await;
    scene.ends_well().await;
}

/// All services of a mesh share one route configuration.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_envoy_that_refuses_the_rules_of_one_service_blocks_the_end_of_another_until_they_are_mended() {
    let scene = Scene::strict(2).await;
    let engine = &scene.plane.engine;
    let other = Release::new(1, 0, &label("v1"), &label("v2"));
    other.start(engine).await;
    let half = engine.get(&other.spec.key).await.unwrap().record.task.wanted().routing.clone();
    engine.command(&other.spec.key, Command::SetRouting(by_expression())).await.unwrap();
    other.until(engine, |stored| is_refused(&format!("{:?}", stored.record.task.failure()))).await;
    scene.end_waits_until(is_refused).await;
    assert_eq!(scene.phase().await, ROUTING);
    engine.command(&other.spec.key, Command::SetRouting(half)).await.unwrap();
    scene.end().await;
    scene.ends_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_overtakes_an_end_that_waits() {
    let mut scene = Scene::start().await;
    scene.pause(1).await;
    scene.end_waits_for(&["envoy-2"], &["envoy-1"]).await;
    tokio::join!(scene.closes(Action::Cancel), async { scene.envoys[1].resume().unwrap() });
    assert_eq!(scene.phase().await, Phase::Closed(Action::Cancel));
    assert_eq!(scene.site.retirement.retired(), ["s0-0 v2"]);
    scene.load_anew().await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    for at in [0, 1] {
        assert_eq!(answered_by(&scene.unload(at).await, "v2"), 0, "all is as it was");
    }
    scene.ends_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_that_waits_can_be_taken_back() {
    let mut scene = Scene::start().await;
    scene.pause(1).await;
    scene.end_waits_for(&["envoy-2"], &["envoy-1"]).await;
    let engine = scene.plane.engine.clone();
    engine.command(&scene.release.spec.key, Command::Reopen).await.unwrap();
    scene.envoys[1].resume().unwrap();
    let confirmed = |task: &ReleaseTask| task.confirmed().routing == task.wanted().routing;
    let reopened = scene.release.until(&engine, |stored| confirmed(&stored.record.task)).await;
    assert_eq!(reopened.record.task.phase(), Phase::Running);
    assert_eq!(scene.site.retirement.retired(), [""; 0]);
    scene.load_anew().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let outcomes = [scene.unload(0).await, scene.unload(1).await].concat();
    assert!(["v1", "v2"].iter().all(|version| answered_by(&outcomes, version) > 0), "both serve again");
    for at in [0, 1] {
        scene.load(at);
    }
    scene.end().await;
    scene.ends_well().await;
}

/// An end through an Envoy that reports every second what is in progress, while each answer takes that many milliseconds.
async fn one_with_load_reports(longest: Duration, delay: &str) -> (Scene, Vec<(usize, Outcome)>) {
    let mut site = Site::start(1).await;
    site.longest = longest;
    let plane = Plane::impatient(&site, Settings::default(), Duration::from_mins(1)).await;
    let source = Source::Ads { control_plane: plane.mesh.address(), load_reports: true };
    let envoy = EnvoyProcess::start(&Bootstrap::new("envoy-1", "mesh-1", source)).await.unwrap();
    let scene = Scene::with(site, plane, vec![envoy]).await;
    // So many that some are in progress when the last report before the limit comes.
    let slow = Traffic::start(&scene.envoys, 1, 100, &[("x-test-delay-ms", delay)]);
    let loser = scene.site.upstream(0, &label("v1"));
    let enough = loser.requests() + 100;
    let begun = async {
        while loser.requests() < enough {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(Duration::from_mins(1), begun).await.unwrap();
    scene.end().await;
    let outcomes = slow.stop().await;
    (scene, outcomes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_outlasts_the_longest_request_is_cut_off_and_counted() {
    let (scene, outcomes) = one_with_load_reports(Duration::from_secs(4), "20000").await;
    assert!(outcomes.iter().all(|(_, outcome)| outcome.answer.is_err()), "none may take as long");
    let count = scene.plane.mesh.cut_off();
    assert!(count > 0);
    let task = format!("{:?}", scene.plane.engine.get(&scene.release.spec.key).await.unwrap().record.task);
    assert!(task.contains(&format!("{count} requests in progress were cut off by max_stream_duration")), "{task}");
    scene.ends_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ends_in_time_is_not_cut_off() {
    // Whatever report is the last that counts comes after the last answer.
    let (scene, outcomes) = one_with_load_reports(Duration::from_secs(8), "1000").await;
    assert_eq!(failed(&outcomes), [""; 0]);
    assert_eq!(scene.plane.mesh.cut_off(), 0);
    let task = format!("{:?}", scene.plane.engine.get(&scene.release.spec.key).await.unwrap().record.task);
    assert!(task.contains("load reports show nothing in progress"), "{task}");
    scene.ends_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_upstream_of_the_loser_dies_in_the_middle() {
    let mut scene = Scene::start().await;
    scene.pause(1).await;
    scene.end_waits_for(&["envoy-2"], &["envoy-1"]).await;
    // Through envoy-1 nobody notices: it has moved on.
    scene.site.kill(0, Version::Original);
    scene.envoys[1].resume().unwrap();
    scene.end().await;
    scene.load(1);
    scene.ends_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_traffic_moves_to_a_survivor_that_is_not_ready() {
    let mut scene = Scene::start().await;
    scene.unload(0).await;
    scene.site.upstream(0, &label("v2")).set_healthy(false);
    scene.load(0);
    scene.end_waits_until(|told| told.contains("0 of 1 endpoints are healthy") && told.contains("503")).await;
    assert_eq!(scene.phase().await, Phase::Closing(Action::End, Stage::Preparing));
    let outcomes = scene.unload(0).await;
    let original = answered_by(&outcomes, "v1");
    assert!(original > 0 && original < outcomes.len(), "half of the requests still go to each: {original}");
    scene.load(0);
    scene.site.upstream(0, &label("v2")).set_healthy(true);
    scene.end().await;
    scene.ends_well().await;
}

fn answered_by(outcomes: &[(usize, Outcome)], version: &str) -> usize {
    outcomes.iter().filter(|(_, outcome)| outcome.answer.as_deref() == Ok(version)).count()
}

fn is_503(outcome: &Outcome) -> bool {
    outcome.answer.as_ref().is_err_and(|failure| failure.starts_with("503"))
}
