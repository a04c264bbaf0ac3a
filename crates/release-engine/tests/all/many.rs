//! Thousands of releases at once.

use crate::fixture::{at_a_fifth, engine, settings, spec};
use release_core::{Action, Mode, Phase, ReleaseSpec, Report, Step};
use release_engine::{Engine, Mesh};
use release_store::MemoryStore;
use release_testkit::SimulatedMesh;
use std::collections::HashSet;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

const RELEASES: usize = 5000;

#[tokio::test(start_paused = true)]
async fn thousands_close_at_once() {
    let (engine, _, mesh) = engine().await;
    let _running = at_a_fifth(&engine, "running").await;
    let mut closing = JoinSet::new();
    for number in 0..RELEASES {
        let engine = engine.clone();
        closing.spawn(async move {
            let spec = spec(&format!("a{number}"));
            let key = spec.key.clone();
            engine.create(spec, serde_json::Value::Null).await.unwrap();
            engine.delete(&key, Action::Cancel, Mode::Perform).await
        });
    }
    let before = Instant::now();
    let answers = closing.join_all().await;
    assert_eq!(answers.len(), RELEASES);
    for answer in answers {
        assert_eq!(answer.unwrap().record.task.phase(), Phase::Closed(Action::Cancel));
    }
    // Each step takes a second: four of them, whether for one release or for thousands.
    assert!(before.elapsed().as_secs() < 6, "{:?}", before.elapsed());
    assert_eq!(engine.unclosed().await.unwrap().len(), 1);
    mesh.check().unwrap();
}

/// How often futures were polled, and by which threads.
#[derive(Clone, Default)]
struct Polls {
    number: Arc<AtomicUsize>,
    threads: Arc<Mutex<HashSet<ThreadId>>>,
}

impl Polls {
    async fn of<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        poll_fn(|context| {
            self.number.fetch_add(1, Ordering::Relaxed);
            self.threads.lock().unwrap().insert(thread::current().id());
            future.as_mut().poll(context)
        })
        .await
    }

    fn number(&self) -> usize {
        self.number.load(Ordering::Relaxed)
    }
}

/// A mesh that counts the polls of its steps: whenever a driver is polled that waits for a step, the step is too.
struct Counting(SimulatedMesh, Polls);

impl Mesh for Counting {
    async fn perform(&self, spec: &ReleaseSpec, step: &Step) -> Report {
        self.1.of(self.0.perform(spec, step)).await
    }
}

/// Neither a thread nor a poll now and then for what waits: not for drivers, and not for callers.
#[tokio::test(start_paused = true)]
async fn thousands_that_wait_cost_nothing() {
    const HOUR: Duration = Duration::from_hours(1);
    let (steps, callers) = (Polls::default(), Polls::default());
    let mesh = Counting(SimulatedMesh::new(2).with_lag(HOUR), steps.clone());
    let settings = release_engine::Settings { wait: 10 * HOUR, step_limit: 10 * HOUR, ..settings() };
    let engine = Engine::start(MemoryStore::new(), mesh, settings).await.unwrap();
    let mut closing = JoinSet::new();
    for number in 0..RELEASES {
        let (engine, callers) = (engine.clone(), callers.clone());
        closing.spawn(async move {
            let spec = spec(&format!("a{number}"));
            let key = spec.key.clone();
            engine.create(spec, serde_json::Value::Null).await.unwrap();
            callers.of(engine.delete(&key, Action::Cancel, Mode::Perform)).await.unwrap();
        });
    }
    sleep(HOUR / 2).await;
    // A driver and a caller each; the rest is the engine's own.
    let alive = Handle::current().metrics().num_alive_tasks();
    assert!((2 * RELEASES..2 * RELEASES + 10).contains(&alive), "{alive} tasks of the runtime");
    let before = (steps.number(), callers.number());
    sleep(HOUR / 3).await;
    assert_eq!((steps.number(), callers.number()), before, "polled although nothing happened");
    closing.join_all().await;
    // Four steps, each polled when it begins and when it ends, and once more where a change was announced meanwhile.
    assert!(steps.number() <= 16 * RELEASES, "{} polls of {RELEASES} times four steps", steps.number());
    for polls in [steps, callers] {
        assert_eq!(*polls.threads.lock().unwrap(), HashSet::from([thread::current().id()]));
    }
}
