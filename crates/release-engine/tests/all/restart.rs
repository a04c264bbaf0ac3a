//! Shutdown, restart, and two engines on one store.

use crate::fixture::{TestEngine, at_a_fifth, engine, error, key, settings, spec, until};
use release_core::{Action, Command, Mode, Phase, ReleaseSpec, ReleaseTask, Report, Stage, Step, Version};
use release_engine::{Engine, EngineError, Mesh};
use release_store::MemoryStore;
use release_testkit::{Behaviour, SimulatedMesh};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn what_a_shutdown_interrupts_in_any_stage_goes_on_after_a_restart() {
    for stage in [Stage::Preparing, Stage::Routing, Stage::Draining, Stage::Retiring] {
        let (engine, store, mesh) = engine().await;
        let key = at_a_fifth(&engine, "a").await;
        let waiting = tokio::spawn({
            let (engine, key) = (engine.clone(), key.clone());
            async move { engine.delete(&key, Action::End, Mode::Perform).await }
        });
        until(&engine, &key, |stored| stored.record.task.phase().stage() == Some(stage)).await;
        let before = Instant::now();
        assert!(engine.shutdown(SECOND).await);
        let answer = error(waiting.await.unwrap());
        assert!(before.elapsed() < SECOND);
        let phase = Phase::Closing(Action::End, stage);
        assert_eq!(answer, EngineError::NotFinished { action: Action::End, phase, failure: None });
        assert_eq!(error(engine.command(&key, Command::CANCEL).await), EngineError::ShutDown);
        let created = engine.create(spec("b"), serde_json::Value::Null).await;
        assert_eq!(error(created), EngineError::ShutDown);
        tokio::time::sleep(60 * SECOND).await;
        assert_eq!(engine.get(&key).await.unwrap().record.task.phase(), phase, "nothing happens any more");

        let again = Engine::start(store, mesh.clone(), settings()).await.unwrap();
        until(&again, &key, |stored| stored.record.task.phase() == Phase::Closed(Action::End)).await;
        mesh.check().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_does_not_wait_for_a_mesh_that_hangs() {
    let (engine, _, mesh) = engine().await;
    mesh.behave(|_, _| Behaviour::Hangs);
    for number in 0..100 {
        engine.create(spec(&format!("a{number}")), serde_json::Value::Null).await.unwrap();
    }
    let before = Instant::now();
    assert!(engine.shutdown(SECOND).await);
    assert!(before.elapsed() < SECOND);
}

/// A mesh that hangs, and is there as long as an engine has it.
struct Held(SimulatedMesh, #[expect(dead_code, reason = "its end is waited for")] mpsc::Sender<()>);

impl Mesh for Held {
    async fn perform(&self, spec: &ReleaseSpec, step: &Step) -> Report {
        self.0.perform(spec, step).await
    }

    async fn restore(&self, tasks: &[ReleaseTask]) {
        self.0.restore(tasks).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_engine_stops_with_its_last_clone_and_lets_go_of_store_and_mesh() {
    let (store, mesh) = (MemoryStore::new(), SimulatedMesh::new(2).with_lag(SECOND));
    let (held, mut gone) = mpsc::channel(1);
    let engine = Engine::start(store.clone(), Held(mesh.clone(), held), settings()).await.unwrap();
    let (clone, key) = (engine.clone(), at_a_fifth(&engine, "a").await);
    mesh.behave(|_, _| Behaviour::Hangs);
    engine.command(&key, Command::END).await.unwrap();
    drop(engine);
    until(&clone, &key, |stored| stored.record.task.phase().stage().is_some()).await;
    drop(clone);
    assert_eq!(timeout(SECOND, gone.recv()).await, Ok(None), "something has the mesh still");

    mesh.behave(|_, _| Behaviour::Works);
    let again = Engine::start(store, mesh.clone(), settings()).await.unwrap();
    until(&again, &key, |stored| stored.record.task.phase() == Phase::Closed(Action::End)).await;
    mesh.check().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_new_mesh_is_told_of_the_unclosed_releases() {
    let (engine, store, _) = engine().await;
    let running = at_a_fifth(&engine, "running").await;
    let closed = at_a_fifth(&engine, "closed").await;
    engine.delete(&closed, Action::End, Mode::Perform).await.unwrap();
    assert!(engine.shutdown(SECOND).await);

    let mesh = SimulatedMesh::new(2);
    let again = Engine::start(store, mesh.clone(), settings()).await.unwrap();
    let fifth = again.get(&running).await.unwrap().record.task.wanted().clone();
    assert_eq!(mesh.release(&running).unwrap().newest(), &fifth);
    assert!(mesh.release(&closed).is_none());
    assert!(mesh.asked().is_empty(), "what is confirmed has no step");
    again.delete(&running, Action::Cancel, Mode::Perform).await.unwrap();
    mesh.check().unwrap();
}

async fn two_engines() -> (TestEngine, TestEngine, SimulatedMesh) {
    let (first, store, mesh) = engine().await;
    let second = Engine::start(store, mesh.clone(), settings()).await.unwrap();
    (first, second, mesh)
}

#[tokio::test(start_paused = true)]
async fn two_engines_on_one_store_do_no_harm() {
    let (first, second, mesh) = two_engines().await;
    let key = at_a_fifth(&first, "a").await;
    let end = |engine: &TestEngine| {
        let (engine, key) = (engine.clone(), key.clone());
        tokio::spawn(async move { engine.delete(&key, Action::End, Mode::Perform).await })
    };
    let (one, other) = (end(&first), end(&second));
    for answer in [one, other] {
        assert_eq!(answer.await.unwrap().unwrap().record.task.phase(), Phase::Closed(Action::End));
    }
    mesh.check().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_cancel_at_one_engine_overtakes_an_end_at_the_other() {
    let (first, second, mesh) = two_engines().await;
    let key = at_a_fifth(&first, "a").await;
    let to_grayscale =
        |step: &Step| matches!(step, Step::Apply { routing, .. } if routing.sole_owner() == Some(Version::Grayscale));
    mesh.behave(move |_, step| if to_grayscale(step) { Behaviour::Hangs } else { Behaviour::Works });
    let end = tokio::spawn({
        let (first, key) = (first.clone(), key.clone());
        async move { first.delete(&key, Action::End, Mode::Perform).await }
    });
    until(&second, &key, |stored| stored.record.task.phase().stage() == Some(Stage::Routing)).await;
    second.delete(&key, Action::Cancel, Mode::Perform).await.unwrap();
    mesh.behave(|_, _| Behaviour::Works);
    // The first engine asks for its step once more, is refused by the fence or loses the swap, and learns the truth.
    until(&first, &key, |stored| stored.record.task.phase() == Phase::Closed(Action::Cancel)).await;
    let answer = error(end.await.unwrap());
    assert!(matches!(answer, EngineError::Refused { .. }), "{answer}");
    mesh.check().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_step_that_fails_is_given_up_when_another_engine_has_moved_on() {
    let (first, store, broken) = engine().await;
    let key = at_a_fifth(&first, "a").await;
    broken.behave(|_, _| Behaviour::Refuses("broken".into()));
    first.command(&key, Command::END).await.unwrap();
    until(&first, &key, |stored| stored.record.task.failure().is_some()).await;
    let second = Engine::start(store, SimulatedMesh::new(2), settings()).await.unwrap();
    second.delete(&key, Action::End, Mode::Perform).await.unwrap();
    tokio::time::sleep(40 * SECOND).await;
    let asked = broken.asked().len();
    tokio::time::sleep(600 * SECOND).await;
    assert_eq!(broken.asked().len(), asked);
}

/// A mesh at whose restoration another engine closes the release.
struct Overtaken(TestEngine, SimulatedMesh);

impl Mesh for Overtaken {
    async fn perform(&self, spec: &ReleaseSpec, step: &Step) -> Report {
        self.1.perform(spec, step).await
    }

    async fn restore(&self, tasks: &[ReleaseTask]) {
        for task in tasks {
            self.0.delete(task.key(), Action::End, Mode::Perform).await.unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_step_is_taken_for_what_was_read_long_ago() {
    let (first, store, _) = engine().await;
    let key = at_a_fifth(&first, "a").await;
    first.command(&key, Command::END).await.unwrap();
    let mesh = SimulatedMesh::new(2);
    let _second = Engine::start(store, Overtaken(first, mesh.clone()), settings()).await.unwrap();
    tokio::time::sleep(600 * SECOND).await;
    assert_eq!(mesh.asked(), []);
}

#[tokio::test(start_paused = true)]
async fn an_engine_on_a_store_with_nothing_to_do_does_nothing() {
    let mesh = SimulatedMesh::new(2);
    let engine = Engine::start(MemoryStore::new(), mesh.clone(), settings()).await.unwrap();
    tokio::time::sleep(3600 * SECOND).await;
    assert!(mesh.asked().is_empty());
    assert!(engine.get(&key("a")).await.is_err());
    assert!(engine.shutdown(SECOND).await);
}
