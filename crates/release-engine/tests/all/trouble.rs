//! A mesh that refuses, hangs, panics, lies, and comes back.

use crate::fixture::{at_a_fifth, engine, key, settings, spec, until};
use release_core::{Action, Command, Generation, Mode, Phase, ReleaseSpec, Report, Stage, Step, StepKind, Version};
use release_engine::{Engine, Mesh, Settings, Store};
use release_store::MemoryStore;
use release_testkit::{Behaviour, SimulatedMesh};
use std::time::Duration;
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn why_a_step_does_not_succeed_is_shown_and_written_once() {
    let (engine, store, mesh) = engine().await;
    let key = at_a_fifth(&engine, "a").await;
    mesh.behave(|_, _| Behaviour::Refuses("no pod is ready".into()));
    engine.command(&key, Command::END).await.unwrap();
    let failed = until(&engine, &key, |stored| stored.record.task.failure().is_some()).await;
    assert_eq!(failed.record.task.failure().unwrap().reason.as_str(), "no pod is ready");
    let asked = mesh.asked().len();
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert!(mesh.asked().len() > asked + 10, "it is tried again and again");
    assert_eq!(store.load(&key).await.unwrap(), Some(failed), "and the same reason is not written again");
}

#[tokio::test(start_paused = true)]
async fn it_never_gives_up_and_the_pauses_grow_to_a_limit() {
    let (engine, _, mesh) = engine().await;
    let key = at_a_fifth(&engine, "a").await;
    let before = mesh.asked().len();
    mesh.behave(|_, _| Behaviour::Refuses("down".into()));
    engine.command(&key, Command::END).await.unwrap();
    let day = Duration::from_hours(24);
    tokio::time::sleep(day).await;
    let tries = mesh.asked().len() - before;
    // Every 15 to 31 seconds, once the pauses have grown.
    assert!((2700..6000).contains(&tries), "{tries} tries in a day");
    mesh.behave(|_, _| Behaviour::Works);
    until(&engine, &key, |stored| stored.record.task.phase() == Phase::Closed(Action::End)).await;
}

#[tokio::test(start_paused = true)]
async fn a_mesh_that_hangs_or_panics_is_asked_again() {
    let panicked = "the mesh adapter panicked: the simulated mesh was told to panic";
    let troubles = [(Behaviour::Hangs, "no answer within 30 s; started over"), (Behaviour::Panics, panicked)];
    for (trouble, expected) in troubles {
        for kind in [StepKind::Apply, StepKind::Retire(Version::Original)] {
            let (engine, _, mesh) = engine().await;
            let key = at_a_fifth(&engine, "a").await;
            let trouble = trouble.clone();
            mesh.behave(move |_, step| if step.kind() == kind { trouble.clone() } else { Behaviour::Works });
            engine.command(&key, Command::END).await.unwrap();
            let stored = until(&engine, &key, |stored| stored.record.task.failure().is_some()).await;
            assert_eq!(stored.record.task.failure().unwrap().reason.as_str(), expected, "{kind}");
            mesh.behave(|_, _| Behaviour::Works);
            engine.delete(&key, Action::End, Mode::Perform).await.unwrap();
        }
    }
}

/// A mesh that answers another step than it was asked for.
struct MixesUp;

impl Mesh for MixesUp {
    async fn perform(&self, _: &ReleaseSpec, step: &Step) -> Report {
        match step {
            Step::EnsureReady { .. } => Report::Retired { generation: Generation::new(9), version: Version::Original },
            step => step.failed("not asked"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_answer_to_another_step_is_a_failure() {
    let engine = Engine::start(MemoryStore::new(), MixesUp, settings()).await.unwrap();
    engine.create(spec("a"), serde_json::Value::Null).await.unwrap();
    let stored = until(&engine, &key("a"), |stored| stored.record.task.failure().is_some()).await;
    assert_eq!(stored.record.task.phase(), Phase::Deploying);
    let reason = stored.record.task.failure().unwrap().reason;
    assert_eq!(reason.as_str(), "the mesh adapter answered another step (retire the original version, 9)");
}

#[tokio::test(start_paused = true)]
async fn a_new_command_does_not_wait_for_a_pause_to_end() {
    let (engine, _, mesh) = engine().await;
    let key = at_a_fifth(&engine, "a").await;
    mesh.behave(|_, step| {
        let grayscale = matches!(step, Step::EnsureReady { version: Version::Grayscale, .. });
        if grayscale { Behaviour::Refuses("not ready".into()) } else { Behaviour::Works }
    });
    engine.command(&key, Command::END).await.unwrap();
    tokio::time::sleep(Duration::from_mins(5)).await; // Now it pauses for 15 to 30 s.
    let before = Instant::now();
    engine.delete(&key, Action::Cancel, Mode::Perform).await.unwrap();
    assert!(before.elapsed() < Duration::from_secs(10), "it took {:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn nobody_confirms_nothing() {
    let mesh = SimulatedMesh::new(0);
    let settings = Settings { wait: Duration::from_hours(1), ..settings() };
    let engine = Engine::start(MemoryStore::new(), mesh.clone(), settings).await.unwrap();
    engine.create(spec("a"), serde_json::Value::Null).await.unwrap();
    let answer = engine.delete(&key("a"), Action::Cancel, Mode::Perform).await;
    assert!(answer.is_err());
    let task = engine.get(&key("a")).await.unwrap().record.task;
    assert_eq!(task.phase(), Phase::Closing(Action::Cancel, Stage::Routing));
    assert!(mesh.asked().iter().all(|(_, step)| !matches!(step, Step::Drain { .. } | Step::Retire { .. })));
}
