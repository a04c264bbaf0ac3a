//! Thousands of releases at once.

use crate::fixture::{Told, at_a_fifth, engine, settings, spec};
use release_core::{Action, Command, Mode, Phase, ReleaseSpec, Report, Step};
use release_engine::{Engine, Mesh, Settings};
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
use tokio::time::{Instant, sleep, timeout};

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
    let settings = Settings { wait: 10 * HOUR, step_limit: 10 * HOUR, ..settings() };
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

/// Commands and drivers race on several threads, on a mesh that does at once what it is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn commands_and_drivers_race() {
    const RACES: usize = 100;
    let (told, mesh) = (Told::default(), SimulatedMesh::new(2));
    let settings = Settings { observer: told.observer(), ..settings() };
    let engine = Engine::start(MemoryStore::new(), mesh.clone(), settings).await.unwrap();
    let mut racing = JoinSet::new();
    for number in 0..RACES {
        let spec = spec(&format!("a{number}"));
        let key = spec.key.clone();
        engine.create(spec, serde_json::Value::Null).await.unwrap();
        for command in [Command::END, Command::Reopen, Command::END, Command::CANCEL, Command::Reopen, Command::END] {
            let (engine, key) = (engine.clone(), key.clone());
            // Whether it is refused depends on who comes first.
            racing.spawn(async move { drop(engine.command(&key, command).await) });
        }
        let engine = engine.clone();
        racing.spawn(async move {
            while !engine.get(&key).await.unwrap().record.task.phase().is_closed() {
                drop(engine.delete(&key, Action::Cancel, Mode::Perform).await);
            }
        });
    }
    timeout(Duration::from_mins(1), racing.join_all()).await.unwrap();
    mesh.check().unwrap();
    assert_eq!(engine.unclosed().await.unwrap(), []);
    assert!(engine.shutdown(Duration::from_mins(1)).await, "nothing is under way any more");
    for number in 0..RACES {
        assert_chain(&told.lines(), &format!("a{number}"));
    }
}

/// Each move that was told begins where the one before has ended, from the creation of the release to its end.
fn assert_chain(told: &[String], id: &str) {
    let mut phase = None;
    for line in told {
        if *line == format!("{id} created") {
            assert_eq!(phase.replace("deploying"), None, "{id} is created once");
        } else if let Some((from, to)) =
            line.strip_prefix(&format!("{id}: ")).and_then(|moved| moved.split_once(" -> "))
        {
            assert_eq!(phase.replace(to), Some(from), "{id}: {told:?}");
        }
    }
    assert!(phase.is_some_and(|phase| phase.starts_with("closed")), "{id}: {phase:?}");
}
