//! A store that fails or is full in the middle; a mesh that refuses, hangs, panics and comes back.

use crate::envoys::{Surroundings, node, until_readiness, until_running};
use crate::in_process::{InProcess, STAGES, directory, hang_in, misbehave_in};
use crate::process::{OPEN, Process, limit_files, serve};
use http::Method;
use release_core::{Stage, Step, Version};
use release_testkit::{Behaviour, Mood};
use release_xds::testkit::Manner;
use std::time::Duration;

const WAIT: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread")]
async fn a_takeover_goes_on_when_the_store_works_again() {
    for mood in [Mood::Full, Mood::Down, Mood::Mute] {
        for (stage, name) in STAGES {
            let directory = directory();
            let InProcess { server, client, mesh, store } = InProcess::start(directory.path(), WAIT).await;
            let release = client.at_a_fifth("cart").await;
            hang_in(&mesh, stage);
            let waiting = release.begin("end", name).await;
            store.be(mood);
            mesh.behave(|_, _| Behaviour::Works);
            // What came of the step is the first that is written now.
            client.until_metric("release_store_errors_total", |failed| failed >= 1.0).await;
            // Documented answers, whatever they are.
            for _ in 0..3 {
                release.get().await;
                release.put("policy", r#"{"weighted":{"grayscale":50}}"#).await;
            }
            store.be(Mood::Works);
            assert_eq!(waiting.await.unwrap().status, 200, "{mood:?} {name}");
            release.until_closed("end").await;
            // Counted once, also where the answer to a write was lost.
            let closed = r#"release_takeovers_total{action="end",result="closed"}"#;
            assert_eq!(client.metric(closed).await, Some(1.0), "{mood:?} {name}");
            for stage in ["deploying", "running", "preparing", "routing", "draining", "retiring"] {
                let unclosed = format!(r#"release_unclosed{{stage="{stage}"}}"#);
                assert_eq!(client.metric(&unclosed).await, Some(0.0), "{mood:?} {name}: {stage}");
            }
            mesh.check().unwrap();
            assert!(server.shutdown().await);
        }
    }
}

/// Takeovers have a thread of their own.
#[tokio::test(flavor = "current_thread")]
async fn a_takeover_goes_on_while_no_request_can_be_answered() {
    let directory = directory();
    let InProcess { server: _server, client, mesh, .. } = InProcess::start(directory.path(), WAIT).await;
    let release = client.at_a_fifth("cart").await;
    hang_in(&mesh, Stage::Routing);
    let waiting = release.begin("end", "routing").await;
    let (sender, retired) = std::sync::mpsc::channel();
    mesh.behave(move |_, step| {
        if matches!(step, Step::Retire { .. }) {
            sender.send(()).unwrap();
        }
        Behaviour::Works
    });
    // On the only thread that serves requests.
    retired.recv_timeout(WAIT).unwrap();
    waiting.await.unwrap().ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_that_is_not_stored_is_not_carried_out() {
    let directory = directory();
    let InProcess { server: _server, client, mesh, store } = InProcess::start(directory.path(), WAIT).await;
    let release = client.at_a_fifth("cart").await;
    let (before, asked) = (release.get().await.text, mesh.asked().len());
    store.be(Mood::Full);
    for action in ["cancel", "end"] {
        let answer = release.delete(action).await;
        assert_eq!(answer.status, 500);
        assert!(answer.text.contains("repeat the request later"), "{answer:?}");
        assert!(!answer.text.contains("out of order"), "why is for the log: {answer:?}");
    }
    store.be(Mood::Works);
    assert_eq!(release.get().await.text, before);
    assert_eq!(mesh.asked().len(), asked);
    release.delete("end").await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_not_ready_while_the_store_is_down() {
    let directory = directory();
    let InProcess { server: _server, client, store, .. } = InProcess::start(directory.path(), WAIT).await;
    assert_eq!(client.get("/readyz").await.ok().text, "ready\n");
    store.be(Mood::Down);
    let answer = client.get("/readyz").await;
    assert_eq!((answer.status, answer.text.as_str()), (503, "not ready: the store does not answer\n"));
    assert_eq!(client.get("/healthz").await.ok().text, "ok\n");
    store.be(Mood::Works);
    client.get("/readyz").await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_not_ready_while_writes_fail() {
    let directory = directory();
    let InProcess { server: _server, client, store, .. } = InProcess::start(directory.path(), WAIT).await;
    let release = client.at_a_fifth("cart").await;
    store.be(Mood::Full);
    // Nothing is written for a probe, so nobody knows yet.
    client.get("/readyz").await.ok();
    assert_eq!(release.delete("end").await.status, 500);
    let answer = client.get("/readyz").await;
    assert_eq!((answer.status, answer.text.as_str()), (503, "not ready: writes to the store fail\n"));
    store.be(Mood::Works);
    release.delete("end").await.ok();
    client.get("/readyz").await.ok();
}

/// The real binary, and a file that can't be written any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_loses_nothing_that_was_accepted() {
    let directory = directory();
    let mut command = serve(OPEN);
    command.arg("--data").arg(directory.path());
    let process = Process::start(command);
    let release = process.client.at_a_fifth("cart").await;
    let before = release.get().await.text;
    limit_files(&process, "4096");
    let answer = release.delete("end").await;
    assert_eq!(answer.status, 500, "{answer:?}");
    let spec = r#"{"metadata":{"name":"next"},"spec":{"serviceName":"next","originalVersion":"a","version":"b"}}"#;
    let path = "/v2/meshes/mesh-1/namespaces/shop/releases";
    let refused = process.client.send(process.client.request(Method::POST, path, spec)).await;
    assert_eq!(refused.status, 500, "{refused:?}");
    limit_files(&process, "unlimited");
    assert_eq!(release.get().await.text, before);
    release.delete("end").await.ok();
    process.signal("KILL");
    drop(process);

    let mut command = serve(OPEN);
    command.arg("--data").arg(directory.path());
    let again = Process::start(command);
    release.at(&again.client).until_closed("end").await;
}

/// The same in the middle of a takeover, which goes on when the disk is full and not before.
#[tokio::test(flavor = "multi_thread")]
async fn a_takeover_goes_on_when_the_disk_has_room_again() {
    let surroundings = Surroundings::new().await;
    let (process, xds, operator) = surroundings.serve("--wait=120");
    let (last, _other) = (node(xds, "envoy-1").await, node(xds, "envoy-2").await);
    let release = operator.create("cart").await;
    until_running(&release).await;
    last.behave(Manner::Silent);
    let waiting = release.begin("end", "routing").await;
    limit_files(&process, "4096");
    last.behave(Manner::Takes);
    operator.until_metric("release_store_errors_total", |failed| failed >= 1.0).await;
    // What the control plane saves is short, and fits again when it is written anew.
    until_readiness(&operator, 503, "not ready: writes to the store fail\n").await;
    let status = release.get().await.ok().json()["status"].take();
    assert_eq!((&status["phase"], &status["action"]), (&"closing".into(), &"end".into()));
    assert!(!waiting.is_finished(), "nobody is told of what is not stored");
    limit_files(&process, "unlimited");
    release.until_closed("end").await;
    waiting.await.unwrap().ok();
    until_readiness(&operator, 200, "ready\n").await;
    process.signal("KILL");
    drop(process);

    let (_again, _, operator) = surroundings.serve("--wait=120");
    let status = release.at(&operator).get().await.ok().json()["status"].take();
    assert_eq!((&status["phase"], &status["action"]), (&"closed".into(), &"end".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mesh_that_refuses_in_any_stage_is_named_with_its_reason_and_asked_again() {
    for (stage, name) in STAGES {
        let directory = directory();
        let InProcess { server: _server, client, mesh, .. } =
            InProcess::start(directory.path(), Duration::from_millis(200)).await;
        let release = client.at_a_fifth("cart").await;
        misbehave_in(&mesh, stage, Behaviour::Refuses("no pod of 17 is ready".into()));
        assert_eq!(release.delete("end").await.status, 500, "{name}");
        let status = release.until(|status| !status["failure"].is_null()).await;
        assert_eq!((&status["stage"], &status["failure"]["reason"]), (&name.into(), &"no pod of 17 is ready".into()));
        // It stays like that, so that who asks again is told why.
        let answer = release.delete("end").await;
        assert_eq!(answer.status, 500, "{name}");
        for part in ["recorded and goes on", "no pod of 17 is ready", "Repeat the same request to wait again"] {
            assert!(answer.json()["errorMsg"].as_str().unwrap().contains(part), "{answer:?}");
        }
        let metrics = client.get("/metrics").await.ok().text;
        assert_eq!(failing_steps(&metrics), [(step_of(stage), "the mesh says why")]);
        assert!(!metrics.contains("no pod"), "anybody may read this: {metrics}");
        assert_eq!(client.metric(&format!(r#"release_unclosed{{stage="{name}"}}"#)).await, Some(1.0));
        mesh.behave(|_, _| Behaviour::Works);
        release.until_closed("end").await;
        mesh.check().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mesh_that_hangs_or_panics_in_any_stage_is_waited_for_and_comes_back() {
    for (stage, name) in STAGES {
        for behaviour in [Behaviour::Hangs, Behaviour::Panics] {
            let directory = directory();
            let InProcess { server: _server, client, mesh, .. } =
                InProcess::start(directory.path(), Duration::from_millis(200)).await;
            let release = client.at_a_fifth("cart").await;
            misbehave_in(&mesh, stage, behaviour.clone());
            release.delete_in_vain("cancel").await;
            let panics = behaviour == Behaviour::Panics;
            release.until(|status| status["stage"] == name && status["failure"].is_null() != panics).await;
            let metrics = client.get("/metrics").await.ok().text;
            let failing = panics.then_some((step_of(stage), "panic"));
            assert_eq!(failing_steps(&metrics), Vec::from_iter(failing));
            mesh.behave(|_, _| Behaviour::Works);
            release.until_closed("cancel").await;
            mesh.check().unwrap();
        }
    }
}

/// Which steps failed, and who said so, as the metrics have it.
fn failing_steps(metrics: &str) -> Vec<(&str, &str)> {
    let lines = metrics.lines().filter_map(|line| line.strip_prefix(r#"release_step_failures_total{step=""#));
    lines
        .map(|line| line.split_once(r#"",reason=""#).unwrap())
        .map(|(step, rest)| (step, rest.split_once('"').unwrap().0))
        .collect()
}

/// The step of a stage, as the metrics call it.
fn step_of(stage: Stage) -> &'static str {
    match stage {
        Stage::Preparing => "ensure ready",
        Stage::Routing => "apply",
        Stage::Draining => "drain",
        Stage::Retiring => "retire",
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_overtakes_an_end_that_hangs() {
    let directory = directory();
    let InProcess { server: _server, client, mesh, .. } = InProcess::start(directory.path(), WAIT).await;
    let release = client.at_a_fifth("cart").await;
    let to_grayscale =
        |step: &Step| matches!(step, Step::Apply { routing, .. } if routing.sole_owner() == Some(Version::Grayscale));
    mesh.behave(move |_, step| if to_grayscale(step) { Behaviour::Hangs } else { Behaviour::Works });
    let end = release.begin("end", "routing").await;
    release.delete("cancel").await.ok();
    let end = end.await.unwrap();
    assert!([400, 404].contains(&end.status), "{end:?}");
    release.until_closed("cancel").await;
    mesh.check().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_release_that_is_reopened_is_told() {
    let directory = directory();
    let InProcess { server: _server, client, mesh, .. } = InProcess::start(directory.path(), WAIT).await;
    let release = client.at_a_fifth("cart").await;
    hang_in(&mesh, Stage::Draining);
    let end = release.begin("end", "draining").await;
    release.reopen().await.ok();
    let end = end.await.unwrap();
    assert_eq!(end.status, 400);
    assert!(end.text.contains("was reopened"), "{end:?}");
    mesh.behave(|_, _| Behaviour::Works);
    let status = release.until(|status| status["confirmed"] == status["wanted"]).await;
    assert_eq!((&status["phase"], &status["wanted"]["weights"]["grayscale"]), (&"running".into(), &20.into()));
    mesh.check().unwrap();
}
