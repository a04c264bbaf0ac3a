//! Panics of what the engine is given.

use crate::fixture::{ENDED, Told, at_a_fifth, error, key, settings, spec, until};
use release_core::{Action, Command, MeshId, Mode, Phase, ReleaseKey, ReleaseSpec, Report, Step, StepKind};
use release_engine::{
    CreateError, Engine, EngineError, Mesh, Record, ReplaceError, Revision, Settings, Store, StoreError, Stored,
};
use release_store::MemoryStore;
use release_testkit::SimulatedMesh;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// A store that panics when told: before a write, after it, or in a read.
#[derive(Clone, Default)]
struct Panics {
    store: MemoryStore,
    before: Arc<AtomicBool>,
    after: Arc<AtomicBool>,
    reads: Arc<AtomicBool>,
    panicked: Arc<AtomicUsize>,
}

impl Panics {
    fn panic_if(&self, told: &AtomicBool) {
        if told.load(Ordering::Relaxed) {
            self.panicked.fetch_add(1, Ordering::Relaxed);
            panic!("the store was told to panic");
        }
    }
}

impl Store for Panics {
    async fn create(&self, record: Record) -> Result<Revision, CreateError> {
        self.panic_if(&self.before);
        let answer = self.store.create(record).await;
        self.panic_if(&self.after);
        answer
    }

    async fn load(&self, key: &ReleaseKey) -> Result<Option<Arc<Stored>>, StoreError> {
        self.panic_if(&self.reads);
        self.store.load(key).await
    }

    async fn replace(&self, record: Record, expected: Revision) -> Result<Revision, ReplaceError> {
        self.panic_if(&self.before);
        let answer = self.store.replace(record, expected).await;
        self.panic_if(&self.after);
        answer
    }

    async fn remove(&self, key: &ReleaseKey, expected: Revision) -> Result<(), ReplaceError> {
        self.store.remove(key, expected).await
    }

    async fn list(&self, mesh: &MeshId) -> Result<Vec<Arc<Stored>>, StoreError> {
        self.store.list(mesh).await
    }

    async fn unclosed(&self) -> Result<Vec<ReleaseKey>, StoreError> {
        self.store.unclosed().await
    }
}

async fn engine(store: &Panics) -> (Engine<Panics, SimulatedMesh>, Told) {
    let told = Told::default();
    let settings = Settings { observer: told.observer(), ..settings() };
    let mesh = SimulatedMesh::new(2).with_lag(Duration::from_secs(1));
    (Engine::start(store.clone(), mesh, settings).await.unwrap(), told)
}

#[tokio::test(start_paused = true)]
async fn a_write_that_panicked_after_it_happened_is_carried_out() {
    let store = Panics::default();
    let (engine, told) = engine(&store).await;
    let key = at_a_fifth(&engine, "a").await;
    store.after.store(true, Ordering::Relaxed);
    let answer = error(engine.delete(&key, Action::End, Mode::Perform).await);
    let expected = StoreError::Failed("it panicked: the store was told to panic".into());
    assert_eq!(answer, EngineError::Store(expected));
    until(&engine, &key, |stored| stored.record.task.phase() == Phase::Closed(Action::End)).await;
    sleep(Duration::from_mins(1)).await;
    assert_eq!(told.moves(), ENDED);
}

/// Neither the drivers end, nor whoever resolves doubts, and none of them is busy with it.
#[tokio::test(start_paused = true)]
async fn a_store_that_panics_is_asked_again_after_growing_pauses() {
    let store = Panics::default();
    let (engine, told) = engine(&store).await;
    let key = at_a_fifth(&engine, "a").await;
    store.after.store(true, Ordering::Relaxed);
    assert!(engine.command(&key, Command::END).await.is_err());
    store.reads.store(true, Ordering::Relaxed);
    sleep(Duration::from_mins(10)).await;
    let panicked = store.panicked.load(Ordering::Relaxed);
    assert!((20..60).contains(&panicked), "{panicked} panics in ten minutes");
    for told in [&store.reads, &store.after] {
        told.store(false, Ordering::Relaxed);
    }
    until(&engine, &key, |stored| stored.record.task.phase() == Phase::Closed(Action::End)).await;
    assert_eq!(told.moves(), ENDED);
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_panics_is_started_anew_after_growing_pauses() {
    let store = Panics::default();
    let (engine, told) = engine(&store).await;
    let key = at_a_fifth(&engine, "a").await;
    engine.command(&key, Command::END).await.unwrap();
    // The driver waits for its first step; it reads before it tries again.
    store.before.store(true, Ordering::Relaxed);
    sleep(Duration::from_millis(1010)).await;
    store.reads.store(true, Ordering::Relaxed);
    sleep(Duration::from_mins(10)).await;
    let panicked = store.panicked.load(Ordering::Relaxed);
    // The driver and the doubt over its write.
    assert!((40..120).contains(&panicked), "{panicked} panics in ten minutes");
    for told in [&store.reads, &store.before] {
        told.store(false, Ordering::Relaxed);
    }
    let asked = Instant::now();
    engine.delete(&key, Action::End, Mode::Perform).await.unwrap();
    assert!(asked.elapsed() < Duration::from_secs(5), "who asks again ends the pause; four steps take a second each");
    assert_eq!(told.moves(), ENDED);
}

#[tokio::test(start_paused = true)]
async fn an_observer_that_panics_stops_nothing() {
    let settings = Settings { observer: Arc::new(|event| panic!("told of {event:?}")), ..settings() };
    let engine = Engine::start(MemoryStore::new(), SimulatedMesh::new(2), settings).await.unwrap();
    let key = at_a_fifth(&engine, "a").await;
    engine.delete(&key, Action::End, Mode::Perform).await.unwrap();
}

/// A mesh that panics before there is a future.
struct Eager;

impl Mesh for Eager {
    fn perform(&self, _: &ReleaseSpec, step: &Step) -> impl Future<Output = Report> + Send {
        assert!(step.kind() == StepKind::Apply, "eager");
        std::future::ready(step.failed("not asked"))
    }
}

#[tokio::test(start_paused = true)]
async fn a_mesh_that_panics_early_has_failed_a_step() {
    let engine = Engine::start(MemoryStore::new(), Eager, settings()).await.unwrap();
    engine.create(spec("a"), serde_json::Value::Null).await.unwrap();
    until(&engine, &key("a"), |stored| stored.record.task.failure().is_some()).await;
    engine.command(&key("a"), Command::CANCEL).await.unwrap();
    let panicked = |stored: &Stored| {
        stored
            .record
            .task
            .failure()
            .is_some_and(|failure| failure.reason.as_str() == "the mesh adapter panicked: eager")
    };
    until(&engine, &key("a"), panicked).await;
}
