//! What the tests share.

use release_core::{Command, Percent, Phase, ReleaseKey, ReleaseSpec, Routing};
use release_engine::{Engine, EngineError, Event, Mesh, Observer, Settings, Store, Stored, Timestamp};
use release_store::MemoryStore;
use release_testkit::SimulatedMesh;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) type TestEngine = Engine<MemoryStore, SimulatedMesh>;

/// The moment at which everything in these tests happens.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

pub(crate) fn settings() -> Settings {
    Settings { now: || NOW, ..Settings::default() }
}

/// An engine on an empty store and a mesh of two proxies, in which each step takes a second.
pub(crate) async fn engine() -> (TestEngine, MemoryStore, SimulatedMesh) {
    let (store, mesh) = (MemoryStore::new(), SimulatedMesh::new(2).with_lag(Duration::from_secs(1)));
    let engine = Engine::start(store.clone(), mesh.clone(), settings()).await.unwrap();
    (engine, store, mesh)
}

pub(crate) fn key(id: &str) -> ReleaseKey {
    ReleaseKey::parse("mesh-1", "shop", id).unwrap()
}

/// A release of a service with the same name as the release.
pub(crate) fn spec(id: &str) -> ReleaseSpec {
    ReleaseSpec {
        key: key(id),
        service: id.parse().unwrap(),
        original: "v1".parse().unwrap(),
        grayscale: "v2".parse().unwrap(),
    }
}

/// Creates a release and waits until a fifth of its traffic goes to the grayscale version.
pub(crate) async fn at_a_fifth<S: Store, M: Mesh>(engine: &Engine<S, M>, id: &str) -> ReleaseKey {
    engine.create(spec(id), serde_json::json!({ "name": id })).await.unwrap();
    until(engine, &key(id), |stored| stored.record.task.phase() == Phase::Running).await;
    let fifth = Routing::weighted(Percent::new(20).unwrap());
    engine.command(&key(id), Command::SetRouting(fifth.clone())).await.unwrap();
    until(engine, &key(id), |stored| stored.record.task.confirmed().routing == fifth).await;
    key(id)
}

/// Lets (paused) time pass until the stored task is as wanted.
pub(crate) async fn until<S: Store, M: Mesh>(
    engine: &Engine<S, M>,
    key: &ReleaseKey,
    wanted: impl Fn(&Stored) -> bool,
) -> Arc<Stored> {
    for _ in 0..100_000 {
        let stored = engine.get(key).await.unwrap();
        if wanted(&stored) {
            return stored;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{key} did not get there");
}

/// The error without the task in it.
pub(crate) fn error(answer: Result<Arc<Stored>, EngineError>) -> EngineError {
    answer.map(|stored| stored.record.task.phase()).unwrap_err()
}

/// What an observer was told, a line each.
#[derive(Clone, Default)]
pub(crate) struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    pub(crate) fn observer(&self) -> Observer {
        let told = self.clone();
        Arc::new(move |event| {
            told.0.lock().unwrap().push(match event {
                Event::Created { key } => format!("{} created", key.id),
                Event::Moved { key, from, to } => format!("{}: {from} -> {to}", key.id),
                Event::Failed { key, step, cause, reason } => format!("{}: {step}: {cause:?}: {reason}", key.id),
                Event::StoreFailed { error } => error.to_string(),
                _ => "?".into(),
            });
        })
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// Only what happened to tasks.
    pub(crate) fn moves(&self) -> Vec<String> {
        let mut lines = self.lines();
        lines.retain(|line| !line.starts_with("the store failed"));
        lines
    }
}

/// What an observer is told of a release `a` that [goes to a fifth](at_a_fifth) and is ended without trouble.
pub(crate) const ENDED: [&str; 7] = [
    "a created",
    "a: deploying -> running",
    "a: running -> closing (end, preparing)",
    "a: closing (end, preparing) -> closing (end, routing)",
    "a: closing (end, routing) -> closing (end, draining)",
    "a: closing (end, draining) -> closing (end, retiring)",
    "a: closing (end, retiring) -> closed (end)",
];
