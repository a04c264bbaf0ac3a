//! A store that fails, or is full, in the middle.

use crate::fixture::{self, NOW, at_a_fifth, error, key, settings, spec, until};
use release_core::{Action, Command, Mode, Percent, Phase, Routing};
use release_engine::{Engine, EngineError, Settings, StoreError};
use release_store::MemoryStore;
use release_testkit::{FlakyStore, Mood, SimulatedMesh};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

type Flaky = FlakyStore<MemoryStore>;

async fn engine() -> (Engine<Flaky, SimulatedMesh>, Flaky, SimulatedMesh) {
    let store = FlakyStore::new(MemoryStore::new());
    let mesh = SimulatedMesh::new(2).with_lag(Duration::from_secs(1));
    let engine = Engine::start(store.clone(), mesh.clone(), settings()).await.unwrap();
    (engine, store, mesh)
}

#[tokio::test(start_paused = true)]
async fn a_takeover_goes_on_when_the_store_works_again() {
    for mood in [Mood::Full, Mood::Down, Mood::Mute, Mood::Hangs] {
        for steps in 0..4 {
            let (engine, store, mesh) = engine().await;
            let key = at_a_fifth(&engine, "a").await;
            let waiting = tokio::spawn({
                let (engine, key) = (engine.clone(), key.clone());
                async move { engine.delete(&key, Action::End, Mode::Perform).await }
            });
            sleep(Duration::from_millis(500 + 1000 * steps)).await;
            store.be(mood);
            sleep(Duration::from_secs(10)).await;
            store.be(Mood::Works);
            let closed = waiting.await.unwrap().unwrap();
            assert_eq!(closed.record.task.phase(), Phase::Closed(Action::End), "{mood:?}, {steps} steps");
            mesh.check().unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_that_is_not_stored_is_not_carried_out() {
    for mood in [Mood::Full, Mood::Down] {
        let (engine, store, mesh) = engine().await;
        let key = at_a_fifth(&engine, "a").await;
        let asked = mesh.asked().len();
        store.be(mood);
        let answer = error(engine.delete(&key, Action::End, Mode::Perform).await);
        assert_eq!(answer, EngineError::Store(StoreError::Failed("out of order".into())));
        sleep(Duration::from_mins(1)).await;
        store.be(Mood::Works);
        sleep(Duration::from_mins(1)).await;
        assert_eq!(mesh.asked().len(), asked, "no step before the intent is stored");
        assert_eq!(engine.get(&key).await.unwrap().record.task.phase(), Phase::Running);
    }
}

/// The answer to a write was lost: the caller is told that the store failed, and what was stored is carried out.
#[tokio::test(start_paused = true)]
async fn a_command_that_was_stored_without_an_answer_is_carried_out() {
    let (engine, store, _) = engine().await;
    let key = at_a_fifth(&engine, "a").await;
    store.be(Mood::Mute);
    let answer = error(engine.delete(&key, Action::End, Mode::Perform).await);
    assert_eq!(answer, EngineError::Store(StoreError::Failed("out of order".into())));
    store.be(Mood::Down);
    sleep(Duration::from_mins(1)).await;
    store.be(Mood::Works);
    let closed = until(&engine, &key, |stored| stored.record.task.phase().is_closed()).await;
    assert_eq!(closed.record.closed, Some(NOW));
}

#[tokio::test(start_paused = true)]
async fn a_release_that_was_created_without_an_answer_is_carried_out() {
    let (engine, store, _) = engine().await;
    store.be(Mood::Mute);
    let answer = error(engine.create(spec("a"), serde_json::Value::Null).await);
    assert_eq!(answer, EngineError::Store(StoreError::Failed("out of order".into())));
    store.be(Mood::Works);
    until(&engine, &key("a"), |stored| stored.record.task.phase() == Phase::Running).await;
}

/// A client hangs up while its command is being stored.
#[tokio::test(start_paused = true)]
async fn what_was_accepted_goes_on_when_the_caller_goes_away() {
    let (engine, store, _) = engine().await;
    let key = at_a_fifth(&engine, "a").await;
    store.be(Mood::Slow);
    let delete = engine.delete(&key, Action::End, Mode::Perform);
    assert!(timeout(Duration::from_millis(500), delete).await.is_err());
    let create = engine.create(spec("b"), serde_json::Value::Null);
    assert!(timeout(Duration::from_millis(500), create).await.is_err());
    until(&engine, &key, |stored| stored.record.task.phase() == Phase::Closed(Action::End)).await;
    until(&engine, &fixture::key("b"), |stored| stored.record.task.phase() == Phase::Running).await;
}

#[tokio::test(start_paused = true)]
async fn an_engine_does_not_start_on_a_store_that_fails() {
    let (engine, store, mesh) = engine().await;
    let key = at_a_fifth(&engine, "a").await;
    store.be(Mood::Down);
    let started = Engine::start(store.clone(), mesh, settings()).await;
    assert_eq!(started.map(drop).unwrap_err(), StoreError::Failed("out of order".into()));
    assert!(engine.get(&key).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_delete_does_not_wait_longer_than_it_may_for_a_store_that_hangs() {
    for (wait, expected) in [(5, "no answer within 5 s"), (60, "no answer within 10 s")] {
        let store = FlakyStore::new(MemoryStore::new());
        let settings = Settings { wait: Duration::from_secs(wait), ..settings() };
        let engine = Engine::start(store.clone(), SimulatedMesh::new(2), settings).await.unwrap();
        let key = at_a_fifth(&engine, "a").await;
        store.be(Mood::Hangs);
        let before = Instant::now();
        let answer = error(engine.delete(&key, Action::End, Mode::Perform).await);
        assert_eq!(answer, EngineError::Store(StoreError::Failed(expected.into())));
        assert!(before.elapsed() <= Duration::from_secs(wait.min(10)), "{:?}", before.elapsed());
        store.be(Mood::Works);
        engine.delete(&key, Action::End, Mode::Perform).await.unwrap();
    }
}

/// The decision is recorded; only how far it is can't be read.
#[tokio::test(start_paused = true)]
async fn who_waits_is_told_that_it_goes_on_when_the_store_hangs_in_the_middle() {
    let (engine, store, _) = engine().await;
    let key = at_a_fifth(&engine, "a").await;
    let waiting = tokio::spawn({
        let (engine, key) = (engine.clone(), key.clone());
        async move { engine.delete(&key, Action::End, Mode::Perform).await }
    });
    sleep(Duration::from_millis(1500)).await;
    store.be(Mood::Hangs);
    let before = Instant::now();
    let answer = error(waiting.await.unwrap());
    assert!(matches!(answer, EngineError::NotFinished { action: Action::End, .. }), "{answer}");
    assert!(before.elapsed() <= settings().wait);
    store.be(Mood::Works);
    until(&engine, &key, |stored| stored.record.task.phase() == Phase::Closed(Action::End)).await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_does_not_wait_for_a_store_that_hangs() {
    const LIMIT: Duration = Duration::from_secs(3);
    let (engine, store, _) = engine().await;
    let key = at_a_fifth(&engine, "a").await;
    engine.create(spec("b"), serde_json::Value::Null).await.unwrap();
    store.be(Mood::Hangs);
    // A driver waits for the store with what came of its step, and a caller with a command.
    let command = tokio::spawn({
        let (engine, key) = (engine.clone(), key.clone());
        async move { engine.command(&key, Command::END).await }
    });
    sleep(Duration::from_secs(5)).await;
    let before = Instant::now();
    let in_time = engine.shutdown(LIMIT).await;
    assert!(before.elapsed() <= LIMIT, "{:?}", before.elapsed());
    assert!(!in_time, "it does not claim that a write was ended that was not");
    assert!(
        !engine.shutdown(Duration::from_secs(10)).await,
        "nor that it will not happen, because nobody waits for it"
    );
    assert!(command.await.unwrap().is_err());
    store.be(Mood::Works);
    assert!(engine.shutdown(LIMIT).await);
}

#[tokio::test(start_paused = true)]
async fn a_start_on_a_store_that_hangs_fails() {
    let (_, store, mesh) = engine().await;
    store.be(Mood::Hangs);
    let started = Engine::start(store, mesh, settings()).await;
    assert_eq!(started.map(drop).unwrap_err(), StoreError::Failed("no answer within 10 s".into()));
}

/// What the mesh is not told of, nobody serves.
#[tokio::test(start_paused = true)]
async fn an_engine_does_not_start_over_an_unclosed_release_that_can_not_be_read() {
    let (engine, store, mesh) = engine().await;
    let key = at_a_fifth(&engine, "a").await;
    store.be(Mood::Damaged);
    let damaged = StoreError::Damaged { key: key.to_string(), reason: "not a record".into() };
    let started = Engine::start(store.clone(), mesh, settings()).await;
    assert_eq!(started.map(drop).unwrap_err(), damaged);
    // One that runs goes on with the others.
    assert_eq!(engine.get(&key).await.unwrap_err(), EngineError::Store(damaged));
    assert_eq!(engine.unclosed().await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn a_limit_may_be_as_long_as_it_likes() {
    let settings = Settings {
        wait: Duration::MAX,
        step_limit: Duration::MAX,
        store_limit: Duration::MAX,
        longest_pause: Duration::MAX,
        ..settings()
    };
    let engine = Engine::start(MemoryStore::new(), SimulatedMesh::new(2), settings).await.unwrap();
    let key = at_a_fifth(&engine, "a").await;
    engine.delete(&key, Action::End, Mode::Perform).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_write_that_failed_is_known_until_one_succeeds() {
    for mood in [Mood::Full, Mood::Mute, Mood::Late] {
        let (engine, store, _) = engine().await;
        let key = at_a_fifth(&engine, "a").await;
        assert_eq!(engine.failed_write(), None);
        store.be(mood);
        let set = |percent| Command::SetRouting(Routing::weighted(Percent::new(percent).unwrap()));
        error(engine.command(&key, set(30)).await);
        assert_eq!(engine.failed_write(), Some(Duration::ZERO), "{mood:?}");
        // Reading proves nothing.
        sleep(Duration::from_secs(1)).await;
        engine.get(&key).await.unwrap();
        assert!(engine.failed_write().is_some(), "{mood:?}");
        store.be(Mood::Works);
        sleep(Duration::from_secs(1)).await;
        engine.command(&key, set(40)).await.unwrap();
        assert_eq!(engine.failed_write(), None, "{mood:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_release_that_is_forgotten_is_a_write_that_succeeded() {
    let (engine, store, _) = engine().await;
    let (closed, other) = (at_a_fifth(&engine, "a").await, at_a_fifth(&engine, "b").await);
    engine.delete(&closed, Action::End, Mode::Perform).await.unwrap();
    store.be(Mood::Full);
    error(engine.command(&other, Command::END).await);
    assert!(engine.failed_write().is_some());
    store.be(Mood::Works);
    assert!(engine.forget(&closed).await.unwrap());
    assert_eq!(engine.failed_write(), None);
}
