//! A mesh that refuses, hangs, panics, lies, and comes back.

use crate::fixture::{Told, at_a_fifth, engine, key, settings, spec, until};
use release_core::{
    Action, Command, Generation, Mode, Phase, ReleaseSpec, Report, Stage, Step, StepKind, Version, Witnesses,
};
use release_engine::{Cause, Engine, Mesh, Settings, Store};
use release_store::MemoryStore;
use release_testkit::{Behaviour, FlakyStore, Mood, SimulatedMesh};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tokio::runtime::Handle;
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
    let silent = "no answer within 30 s; started over";
    let troubles = [(Behaviour::Hangs, Cause::NoAnswer, silent), (Behaviour::Panics, Cause::Panic, panicked)];
    for (trouble, cause, expected) in troubles {
        for kind in [StepKind::Apply, StepKind::Retire(Version::Original)] {
            let (told, mesh) = (Told::default(), SimulatedMesh::new(1));
            let settings = Settings { observer: told.observer(), ..settings() };
            let engine = Engine::start(MemoryStore::new(), mesh.clone(), settings).await.unwrap();
            let key = at_a_fifth(&engine, "a").await;
            let trouble = trouble.clone();
            mesh.behave(move |_, step| if step.kind() == kind { trouble.clone() } else { Behaviour::Works });
            engine.command(&key, Command::END).await.unwrap();
            let stored = until(&engine, &key, |stored| stored.record.task.failure().is_some()).await;
            assert_eq!(stored.record.task.failure().unwrap().reason.as_str(), expected, "{kind}");
            let line = format!("a: {kind}: {cause:?}: {expected}");
            assert!(told.lines().contains(&line), "{line} is not in {:?}", told.lines());
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
    let told = Told::default();
    let settings = Settings { observer: told.observer(), ..settings() };
    let engine = Engine::start(MemoryStore::new(), MixesUp, settings).await.unwrap();
    engine.create(spec("a"), serde_json::Value::Null).await.unwrap();
    let stored = until(&engine, &key("a"), |stored| stored.record.task.failure().is_some()).await;
    assert_eq!(stored.record.task.phase(), Phase::Deploying);
    let reason = stored.record.task.failure().unwrap().reason;
    assert_eq!(reason.as_str(), "the mesh adapter answered another step (retire the original version, 9)");
    assert!(told.lines().iter().any(|line| line.contains(": WrongAnswer: ")), "{:?}", told.lines());
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
    let task = engine.get(&key("a")).await.unwrap().record.task.clone();
    assert_eq!(task.phase(), Phase::Closing(Action::Cancel, Stage::Routing));
    assert!(mesh.asked().iter().all(|(_, step)| !matches!(step, Step::Drain { .. } | Step::Retire { .. })));
}

/// A mesh that says after 20 s what it waits for, and when it was asked.
struct Waits(Arc<Mutex<Vec<Instant>>>);

const PATIENCE: Duration = Duration::from_secs(20);

impl Mesh for Waits {
    async fn perform(&self, _: &ReleaseSpec, step: &Step) -> Report {
        self.0.lock().unwrap().push(Instant::now());
        tokio::time::sleep(PATIENCE).await;
        step.failed("waits for envoy-2")
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_mesh_waits_counts_as_pause() {
    let asked: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let engine = Engine::start(MemoryStore::new(), Waits(Arc::clone(&asked)), settings()).await.unwrap();
    engine.create(spec("a"), serde_json::Value::Null).await.unwrap();
    tokio::time::sleep(Duration::from_mins(10)).await;
    let asked = asked.lock().unwrap();
    assert!(asked.len() > 20, "{}", asked.len());
    for (one, next) in asked.iter().zip(&asked[1..]) {
        let from_start = *next - *one;
        assert!(PATIENCE <= from_start && from_start <= settings().longest_pause, "{from_start:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_that_is_repeated_ends_a_pause() {
    let (engine, _, mesh) = engine().await;
    let key = at_a_fifth(&engine, "a").await;
    mesh.behave(|_, _| Behaviour::Refuses("not ready".into()));
    engine.command(&key, Command::END).await.unwrap();
    tokio::time::sleep(Duration::from_mins(5)).await; // Now it pauses for 15 to 30 s.
    mesh.behave(|_, _| Behaviour::Works);
    let before = Instant::now();
    engine.delete(&key, Action::End, Mode::Perform).await.unwrap();
    assert!(before.elapsed() < Duration::from_secs(6), "it took {:?}", before.elapsed());
}

/// A mesh that fails for another reason each time, while another process changes the record now and then.
struct Disturbed(MemoryStore, AtomicU64);

impl Mesh for Disturbed {
    async fn perform(&self, spec: &ReleaseSpec, step: &Step) -> Report {
        let number = self.1.fetch_add(1, Ordering::Relaxed);
        if number % 5 == 4 {
            let mut stored = Arc::unwrap_or_clone(self.0.load(&spec.key).await.unwrap().unwrap());
            stored.record.metadata = number.into();
            self.0.replace(stored.record, stored.revision).await.unwrap();
        }
        step.failed(format!("{number} pods are ready"))
    }
}

#[tokio::test(start_paused = true)]
async fn the_pauses_go_on_growing_when_another_process_changes_the_record() {
    let store = MemoryStore::new();
    let engine = Engine::start(store.clone(), Disturbed(store, AtomicU64::new(0)), settings()).await.unwrap();
    engine.create(spec("a"), serde_json::Value::Null).await.unwrap();
    tokio::time::sleep(Duration::from_mins(10)).await;
    let reason = engine.get(&key("a")).await.unwrap().record.task.failure().unwrap().reason;
    let tries: u64 = reason.as_str().split(' ').next().unwrap().parse().unwrap();
    assert!((20..80).contains(&tries), "{tries} tries in ten minutes");
}

/// A mesh in which a release is canceled in the very moment in which it answers that a step failed.
#[derive(Clone, Default)]
struct Canceled(Arc<OnceLock<Engine<MemoryStore, Self>>>);

impl Mesh for Canceled {
    async fn perform(&self, spec: &ReleaseSpec, step: &Step) -> Report {
        let Step::EnsureReady { version: Version::Grayscale, .. } = step else {
            return step.succeeded(Witnesses::one("all"), "idle");
        };
        let engine = self.0.wait();
        // Within one poll of the step.
        let cancel = engine.command(&spec.key, Command::CANCEL);
        tokio::task::block_in_place(|| Handle::current().block_on(cancel)).unwrap();
        step.failed("not ready")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_that_comes_with_a_failure_does_not_wait_for_a_pause_to_end() {
    let mesh = Canceled::default();
    let hour = Duration::from_hours(1);
    let settings = Settings { first_pause: hour, longest_pause: hour, ..settings() };
    let engine = Engine::start(MemoryStore::new(), mesh.clone(), settings).await.unwrap();
    assert!(mesh.0.set(engine.clone()).is_ok());
    engine.create(spec("a"), serde_json::Value::Null).await.unwrap();
    let closed = async {
        while !engine.get(&key("a")).await.unwrap().record.task.phase().is_closed() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), closed).await.unwrap();
}

/// A step that was asked for, and the one that was due by the store.
type Asked = (Step, Option<Step>);

/// A mesh that looks into the store whenever it is asked for a step.
struct Looks {
    mesh: SimulatedMesh,
    store: MemoryStore,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Mesh for Looks {
    async fn perform(&self, spec: &ReleaseSpec, step: &Step) -> Report {
        let due = self.store.load(&spec.key).await.unwrap().unwrap().record.task.next_step();
        self.asked.lock().unwrap().push((step.clone(), due));
        self.mesh.perform(spec, step).await
    }
}

#[tokio::test(start_paused = true)]
async fn no_step_is_performed_before_the_store_knows_of_it() {
    for mood in [Mood::Works, Mood::Full, Mood::Down, Mood::Mute, Mood::Hangs, Mood::Late] {
        let (memory, asked) = (MemoryStore::new(), Arc::default());
        let mesh = SimulatedMesh::new(2).with_lag(Duration::from_secs(1));
        let looks = Looks { mesh, store: memory.clone(), asked: Arc::clone(&asked) };
        let store = FlakyStore::new(memory);
        let engine = Engine::start(store.clone(), looks, settings()).await.unwrap();
        let key = at_a_fifth(&engine, "a").await;
        engine.command(&key, Command::END).await.unwrap();
        for _ in 0..8 {
            store.be(mood);
            tokio::time::sleep(Duration::from_millis(700)).await;
            store.be(Mood::Works);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        until(&engine, &key, |stored| stored.record.task.phase().is_closed()).await;
        let asked = asked.lock().unwrap();
        assert!(asked.len() >= 7, "{mood:?}");
        for (step, due) in &*asked {
            assert_eq!(Some(step), due.as_ref(), "{mood:?}");
        }
    }
}
