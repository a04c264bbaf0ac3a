//! Writes that land after everybody has given up waiting for them, or whose answer is lost.

use crate::fixture::{ENDED, Told, at_a_fifth, error, key, settings, spec, until};
use release_core::{Action, Command, Mode, Phase, ReleaseKey};
use release_engine::{Engine, EngineError, Settings, StoreError};
use release_store::MemoryStore;
use release_testkit::{FlakyStore, Mood, SimulatedMesh};
use std::time::Duration;
use tokio::time::{Instant, sleep};

type Flaky = FlakyStore<MemoryStore>;
type FlakyEngine = Engine<Flaky, SimulatedMesh>;

async fn engine() -> (FlakyEngine, Flaky, Told) {
    let (store, told) = (FlakyStore::new(MemoryStore::new()), Told::default());
    let settings = Settings { observer: told.observer(), ..settings() };
    let mesh = SimulatedMesh::new(2).with_lag(Duration::from_secs(1));
    (Engine::start(store.clone(), mesh, settings).await.unwrap(), store, told)
}

/// An end of a running release that was answered with an error, and is not in the store yet.
async fn late_end(engine: &FlakyEngine, store: &Flaky) -> ReleaseKey {
    let key = at_a_fifth(engine, "a").await;
    store.be(Mood::Late);
    let answer = error(engine.delete(&key, Action::End, Mode::Perform).await);
    assert_eq!(answer, EngineError::Store(StoreError::Failed("no answer within 10 s".into())));
    sleep(Duration::from_mins(1)).await;
    assert_eq!(engine.get(&key).await.unwrap().record.task.phase(), Phase::Running);
    key
}

#[tokio::test(start_paused = true)]
async fn an_end_that_is_stored_late_is_carried_out() {
    let (engine, store, told) = engine().await;
    let key = late_end(&engine, &store).await;
    store.be(Mood::Works);
    until(&engine, &key, |stored| stored.record.task.phase() == Phase::Closed(Action::End)).await;
    assert_eq!(told.moves(), ENDED);
}

#[tokio::test(start_paused = true)]
async fn no_other_write_queues_behind_one_that_is_late() {
    let (engine, store, told) = engine().await;
    let key = late_end(&engine, &store).await;
    let before = Instant::now();
    let refused = EngineError::Store(StoreError::Failed(
        "an earlier write of this release has not ended; this one was not begun".into(),
    ));
    assert_eq!(error(engine.command(&key, Command::CANCEL).await), refused);
    assert_eq!(error(engine.update(&key, |metadata| metadata["image"] = 5.into()).await), refused);
    assert_eq!(before.elapsed(), Duration::ZERO);
    let other = engine.command(&key, Command::END);
    assert_eq!(error(other.await), refused);
    store.be(Mood::Works);
    until(&engine, &key, |stored| stored.record.task.phase().is_closing()).await;
    // What was refused does not come after it.
    let closed = engine.delete(&key, Action::Cancel, Mode::Perform).await.unwrap();
    assert_eq!(closed.record.task.phase(), Phase::Closed(Action::Cancel));
    assert_eq!(closed.record.metadata["image"], serde_json::Value::Null);
    assert_eq!(told.moves().last().unwrap(), "a: closing (cancel, retiring) -> closed (cancel)");
}

/// One release whose write is late holds up no other one.
#[tokio::test(start_paused = true)]
async fn a_release_that_is_created_late_is_carried_out() {
    let (engine, store, told) = engine().await;
    store.be(Mood::Late);
    assert!(engine.create(spec("a"), serde_json::Value::Null).await.is_err());
    let again = error(engine.create(spec("a"), serde_json::Value::Null).await);
    assert!(again.to_string().contains("this one was not begun"), "{again}");
    sleep(Duration::from_mins(1)).await;
    store.be(Mood::Works);
    engine.create(spec("b"), serde_json::Value::Null).await.unwrap();
    until(&engine, &key("a"), |stored| stored.record.task.phase() == Phase::Running).await;
    let of_a: Vec<_> = told.moves().into_iter().filter(|line| line.starts_with('a')).collect();
    assert_eq!(of_a, ENDED[..2]);
}

/// A driver has its step performed, and what came of it is stored late.
#[tokio::test(start_paused = true)]
async fn what_came_of_a_step_is_stored_late() {
    for steps in 0..4 {
        let (engine, store, told) = engine().await;
        let key = at_a_fifth(&engine, "a").await;
        engine.command(&key, Command::END).await.unwrap();
        sleep(Duration::from_millis(500 + 1000 * steps)).await;
        store.be(Mood::Late);
        sleep(Duration::from_mins(1)).await;
        store.be(Mood::Works);
        until(&engine, &key, |stored| stored.record.task.phase() == Phase::Closed(Action::End)).await;
        assert_eq!(told.moves(), ENDED, "{steps} steps");
    }
}

#[tokio::test(start_paused = true)]
async fn every_phase_is_told_once_although_no_answer_came() {
    let (engine, store, told) = engine().await;
    store.be(Mood::Mute);
    assert!(engine.create(spec("a"), serde_json::Value::Null).await.is_err());
    until(&engine, &key("a"), |stored| stored.record.task.phase() == Phase::Running).await;
    let mut told_before = told.moves();
    assert!(engine.delete(&key("a"), Action::End, Mode::Perform).await.is_err());
    until(&engine, &key("a"), |stored| stored.record.task.phase().is_closed()).await;
    // The last answer was lost too: it is read again after a pause.
    sleep(Duration::from_mins(1)).await;
    told_before.extend(told.moves().drain(told_before.len()..));
    assert_eq!(told_before, ENDED);
    assert!(told.lines().contains(&"the store failed: out of order".to_owned()));
}

/// What was not created is not told of, and may be created later.
#[tokio::test(start_paused = true)]
async fn what_was_not_created_is_not_told() {
    let (engine, store, told) = engine().await;
    store.be(Mood::Full);
    assert!(engine.create(spec("a"), serde_json::Value::Null).await.is_err());
    sleep(Duration::from_mins(1)).await;
    store.be(Mood::Works);
    assert!(told.moves().is_empty());
    at_a_fifth(&engine, "a").await;
    assert!(engine.create(spec("a"), serde_json::Value::Null).await.is_err());
    assert_eq!(told.moves(), ENDED[..2]);
}

/// What is in doubt is read, and nothing else.
#[tokio::test(start_paused = true)]
async fn a_doubt_costs_one_read() {
    let (engine, store, told) = engine().await;
    for id in ["a", "b", "c"] {
        at_a_fifth(&engine, id).await;
    }
    let failures = told.lines().len();
    store.be(Mood::Full);
    assert!(engine.command(&key("a"), Command::END).await.is_err());
    store.be(Mood::Down);
    sleep(Duration::from_mins(10)).await;
    let failed = told.lines().len() - failures - 1;
    // The pauses have grown to half a minute.
    assert!((20..60).contains(&failed), "{failed} reads in ten minutes");
    store.be(Mood::Works);
    sleep(Duration::from_mins(1)).await;
    assert_eq!(told.lines().len(), failures + 1 + failed);
}
