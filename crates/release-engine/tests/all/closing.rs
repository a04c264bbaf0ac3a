//! Cancels and ends, and those who wait for them.

use crate::fixture::{NOW, Told, at_a_fifth, engine, error, key, settings, spec, until};
use release_core::{Action, Command, Error, Mode, Phase, Stage, Step, Version};
use release_engine::{Engine, EngineError, Settings};
use release_store::MemoryStore;
use release_testkit::{Behaviour, SimulatedMesh};
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::timeout;

#[tokio::test(start_paused = true)]
async fn a_delete_answers_when_the_task_is_closed() {
    for (action, loser) in [(Action::Cancel, Version::Grayscale), (Action::End, Version::Original)] {
        let (engine, _, mesh) = engine().await;
        let key = at_a_fifth(&engine, "a").await;
        let closed = engine.delete(&key, action, Mode::Perform).await.unwrap();
        assert_eq!(closed.record.task.phase(), Phase::Closed(action));
        assert_eq!((closed.record.created, closed.record.closed), (NOW, Some(NOW)));
        assert_eq!(closed.record.metadata["name"], "a");
        assert_eq!(mesh.release(&key).unwrap().retired().unwrap().sole(), Some(loser));
        mesh.check().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_later_delete_says_when_and_how_it_was_closed() {
    let (engine, _, _) = engine().await;
    let key = at_a_fifth(&engine, "a").await;
    engine.delete(&key, Action::End, Mode::Perform).await.unwrap();
    for action in [Action::Cancel, Action::End] {
        let error = error(engine.delete(&key, action, Mode::Perform).await);
        let closed = Error::Closed { key: Box::new(key.clone()), action: Action::End };
        assert_eq!(error, EngineError::Refused { error: closed, closed: Some(NOW) });
        assert!(error.to_string().ends_with("(it was closed at 2026-01-01T00:00:00Z)"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_is_not_found() {
    let (engine, _, _) = engine().await;
    let unknown = EngineError::from(Error::UnknownRelease(Box::new(key("a"))));
    assert_eq!(error(engine.delete(&key("a"), Action::End, Mode::Perform).await), unknown);
    assert_eq!(error(engine.command(&key("a"), Command::Reopen).await), unknown);
    assert_eq!(error(engine.update(&key("a"), |_| ()).await), unknown);
    assert_eq!(engine.get(&key("a")).await.unwrap_err(), unknown);
    assert_eq!(engine.plan(&key("a"), Action::End, Mode::Perform).await.unwrap_err(), unknown);
    assert_eq!(engine.forget(&key("a")).await.unwrap_err(), unknown);
}

#[tokio::test(start_paused = true)]
async fn a_delete_that_takes_too_long_goes_on_and_may_be_repeated() {
    let (engine, _, mesh) = engine().await;
    let key = at_a_fifth(&engine, "a").await;
    mesh.behave(|_, step| if matches!(step, Step::Apply { .. }) { refuses() } else { Behaviour::Works });
    let error = error(engine.delete(&key, Action::Cancel, Mode::Perform).await);
    let EngineError::NotFinished { action, phase, failure } = error else { panic!("{error}") };
    assert_eq!((action, phase), (Action::Cancel, Phase::Closing(Action::Cancel, Stage::Routing)));
    assert_eq!(failure.unwrap().reason.as_str(), "envoy-2 refuses");
    mesh.behave(|_, _| Behaviour::Works);
    let closed = engine.delete(&key, Action::Cancel, Mode::Perform).await.unwrap();
    assert_eq!(closed.record.task.phase(), Phase::Closed(Action::Cancel));
}

#[tokio::test(start_paused = true)]
async fn of_a_racing_cancel_and_end_cancel_wins() {
    for cancel_first in [true, false] {
        let (engine, _, mesh) = engine().await;
        let key = at_a_fifth(&engine, "a").await;
        let delete = |action, after: u64| {
            let (engine, key) = (engine.clone(), key.clone());
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(after)).await;
                engine.delete(&key, action, Mode::Perform).await
            })
        };
        let (cancel, end) = if cancel_first {
            (delete(Action::Cancel, 0), delete(Action::End, 100))
        } else {
            // After 2.1 s the end's routing has been confirmed.
            (delete(Action::Cancel, 2100), delete(Action::End, 0))
        };
        assert_eq!(cancel.await.unwrap().unwrap().record.task.phase(), Phase::Closed(Action::Cancel));
        let refused = EngineError::from(Error::CancelUnderWay);
        assert_eq!(error(end.await.unwrap()), refused, "cancel first: {cancel_first}");
        assert_eq!(mesh.release(&key).unwrap().retired().unwrap().sole(), Some(Version::Grayscale));
        mesh.check().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancel_does_not_wait_for_an_end_that_hangs() {
    let (engine, _, mesh) = engine().await;
    let key = at_a_fifth(&engine, "a").await;
    let to_grayscale =
        |step: &Step| matches!(step, Step::Apply { routing, .. } if routing.sole_owner() == Some(Version::Grayscale));
    mesh.behave(move |_, step| if to_grayscale(step) { Behaviour::Hangs } else { Behaviour::Works });
    engine.command(&key, Command::END).await.unwrap();
    until(&engine, &key, |stored| stored.record.task.phase().stage() == Some(Stage::Routing)).await;
    let before = tokio::time::Instant::now();
    engine.delete(&key, Action::Cancel, Mode::Perform).await.unwrap();
    assert!(before.elapsed() < Duration::from_secs(10), "it took {:?}", before.elapsed());
    mesh.check().unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_told_when_the_release_is_reopened() {
    let (engine, _, mesh) = engine().await;
    let key = at_a_fifth(&engine, "a").await;
    mesh.behave(|_, _| Behaviour::Hangs);
    let waiting = tokio::spawn({
        let (engine, key) = (engine.clone(), key.clone());
        async move { engine.delete(&key, Action::End, Mode::Perform).await }
    });
    until(&engine, &key, |stored| stored.record.task.phase().is_closing()).await;
    engine.command(&key, Command::Reopen).await.unwrap();
    assert_eq!(error(waiting.await.unwrap()), EngineError::Reopened { action: Action::End });
}

#[tokio::test(start_paused = true)]
async fn a_hundred_wait_for_one_takeover() {
    let (engine, _, mesh) = engine().await;
    let key = at_a_fifth(&engine, "a").await;
    let asked = mesh.asked().len();
    let mut waiting = JoinSet::new();
    for _ in 0..100 {
        let (engine, key) = (engine.clone(), key.clone());
        waiting.spawn(async move { engine.delete(&key, Action::End, Mode::Perform).await });
    }
    for answer in waiting.join_all().await {
        assert_eq!(answer.unwrap().record.task.phase(), Phase::Closed(Action::End));
    }
    assert_eq!(mesh.asked().len() - asked, 4, "one driver takes four steps");
}

#[tokio::test(start_paused = true)]
async fn a_takeover_goes_on_when_the_caller_hangs_up() {
    let (engine, _, _) = engine().await;
    let key = at_a_fifth(&engine, "a").await;
    let delete = engine.delete(&key, Action::End, Mode::Perform);
    assert!(timeout(Duration::from_millis(500), delete).await.is_err());
    until(&engine, &key, |stored| stored.record.task.phase() == Phase::Closed(Action::End)).await;
}

#[tokio::test(start_paused = true)]
async fn one_unclosed_release_per_service() {
    let (engine, _, _) = engine().await;
    let key = at_a_fifth(&engine, "a").await;
    let other = release_core::ReleaseSpec { key: crate::fixture::key("b"), ..spec("a") };
    let busy = Error::ServiceBusy { service: "a".parse().unwrap(), by: Box::new(key.clone()) };
    let create = |spec| engine.create(spec, serde_json::Value::Null);
    assert_eq!(error(create(other.clone()).await), busy.into());
    assert_eq!(error(create(spec("a")).await), Error::ReleaseExists(Box::new(key.clone())).into());
    engine.delete(&key, Action::End, Mode::Perform).await.unwrap();
    create(other).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn metadata_changes_while_a_step_is_under_way_and_does_not_disturb_it() {
    let (engine, _, mesh) = engine().await;
    let key = at_a_fifth(&engine, "a").await;
    engine.command(&key, Command::END).await.unwrap();
    let asked = mesh.asked().len();
    for number in 0..5 {
        let stored = engine.update(&key, |metadata| metadata["image"] = number.into()).await.unwrap();
        assert_eq!(stored.record.metadata["image"], number);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let closed = engine.delete(&key, Action::End, Mode::Perform).await.unwrap();
    assert_eq!(closed.record.metadata, serde_json::json!({ "name": "a", "image": 4 }));
    assert!(mesh.asked().len() - asked <= 4, "no step was started over");
    let refused = error(engine.update(&key, |metadata| *metadata = 5.into()).await);
    assert!(matches!(refused, EngineError::Refused { error: Error::Closed { .. }, .. }), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn only_a_closed_release_is_forgotten() {
    let (engine, _, _) = engine().await;
    let key = at_a_fifth(&engine, "a").await;
    assert!(!engine.forget(&key).await.unwrap());
    engine.delete(&key, Action::End, Mode::Perform).await.unwrap();
    let listed = engine.list(&key.mesh).await.unwrap();
    assert_eq!(listed, [engine.get(&key).await.unwrap()], "closed ones are listed too");
    assert!(engine.forget(&key).await.unwrap());
    assert!(engine.get(&key).await.is_err());
    assert!(engine.list(&key.mesh).await.unwrap().is_empty());
    assert!(engine.shutdown(Duration::from_secs(1)).await);
    assert_eq!(engine.forget(&key).await.unwrap_err(), EngineError::ShutDown);
}

#[tokio::test(start_paused = true)]
async fn the_observer_sees_every_phase_once() {
    let told = Told::default();
    let mesh = SimulatedMesh::new(1);
    let engine = Engine::start(MemoryStore::new(), mesh.clone(), Settings { observer: told.observer(), ..settings() })
        .await
        .unwrap();
    let key = at_a_fifth(&engine, "a").await;
    mesh.behave(|_, step| if matches!(step, Step::Retire { .. }) { refuses() } else { Behaviour::Works });
    engine.command(&key, Command::CANCEL).await.unwrap();
    until(&engine, &key, |stored| stored.record.task.failure().is_some()).await;
    mesh.behave(|_, _| Behaviour::Works);
    engine.delete(&key, Action::Cancel, Mode::Perform).await.unwrap();
    let mut seen = told.lines();
    seen.dedup();
    assert_eq!(
        seen,
        [
            "a created",
            "a: deploying -> running",
            "a: running -> closing (cancel, preparing)",
            "a: closing (cancel, preparing) -> closing (cancel, routing)",
            "a: closing (cancel, routing) -> closing (cancel, draining)",
            "a: closing (cancel, draining) -> closing (cancel, retiring)",
            "a: retire the grayscale version: Mesh: envoy-2 refuses",
            "a: closing (cancel, retiring) -> closed (cancel)",
        ]
    );
}

fn refuses() -> Behaviour {
    Behaviour::Refuses("envoy-2 refuses".into())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_goes_on_when_the_runtime_of_the_caller_has_ended() {
    let mesh = SimulatedMesh::new(2);
    let engine = Engine::start(MemoryStore::new(), mesh.clone(), settings()).await.unwrap();
    let key = at_a_fifth(&engine, "a").await;
    let asked = tokio::task::spawn_blocking({
        let (engine, key) = (engine.clone(), key.clone());
        move || {
            let other = Builder::new_current_thread().enable_time().build().unwrap();
            other.block_on(engine.command(&key, Command::END))
        }
    });
    asked.await.unwrap().unwrap();
    let closed = until(&engine, &key, |stored| stored.record.task.phase() == Phase::Closed(Action::End));
    timeout(Duration::from_mins(1), closed).await.unwrap();
    mesh.check().unwrap();
}
