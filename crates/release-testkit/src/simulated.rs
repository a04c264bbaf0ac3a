//! The simulated mesh as a [`Mesh`](release_engine::Mesh) that an engine can drive.

use crate::mesh::{Mesh, Violation};
use release_core::{NumberedRouting, Phase, ReleaseKey, ReleaseSpec, ReleaseTask, Report, Step, Version};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// A simulated mesh for any number of releases: nothing is routed, everything is checked.
///
/// Each release has its own proxies, in a [`Mesh`](crate::mesh::Mesh). They take a new routing, and end the requests that
/// are bound to the old one, as soon as [the lag](Self::with_lag) is over. [`behave`](Self::behave) makes it refuse, hang
/// or panic. Clones are the same mesh.
///
/// ```
/// use release_testkit::{Behaviour, SimulatedMesh};
/// use std::time::Duration;
///
/// let mesh = SimulatedMesh::new(3).with_lag(Duration::from_millis(200));
/// mesh.behave(|_, _| Behaviour::Refuses("out of order".into()));
/// // ... and later:
/// mesh.behave(|_, _| Behaviour::Works);
/// ```
#[derive(Clone)]
pub struct SimulatedMesh {
    proxies: u8,
    lag: Duration,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    script: watch::Sender<Script>,
}

#[derive(Default)]
struct State {
    releases: BTreeMap<ReleaseKey, Mesh>,
    /// The newest steps that were asked for.
    asked: VecDeque<(ReleaseKey, Step)>,
    /// The newest step of each release, and when it was first asked for.
    begun: BTreeMap<ReleaseKey, (Step, Instant)>,
    violation: Option<Violation>,
}

type Script = Arc<dyn Fn(&ReleaseSpec, &Step) -> Behaviour + Send + Sync>;

/// How many steps are remembered.
const ASKED: usize = 10_000;

/// What the simulated mesh does when it is asked for a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// It performs the step.
    Works,
    /// It answers that it can't, for this reason.
    Refuses(String),
    /// It does not answer until it is to behave in another way.
    Hangs,
    /// It panics.
    Panics,
}

impl SimulatedMesh {
    /// A mesh in which each release has that many proxies, and that works at once.
    pub fn new(proxies: u8) -> Self {
        let works: Script = Arc::new(|_, _| Behaviour::Works);
        let shared = Shared { state: Mutex::default(), script: watch::Sender::new(works) };
        Self { proxies, lag: Duration::ZERO, shared: Arc::new(shared) }
    }

    /// The same mesh, in which each step takes that long, from when it was first asked for. By tokio's clock.
    #[must_use]
    pub fn with_lag(self, lag: Duration) -> Self {
        Self { lag, ..self }
    }

    /// Behaves in this way from now on; steps that hang are looked at again.
    pub fn behave(&self, script: impl Fn(&ReleaseSpec, &Step) -> Behaviour + Send + Sync + 'static) {
        self.shared.script.send_replace(Arc::new(script));
    }

    /// The proxies of a release as they are now, if a step of it was ever asked for.
    pub fn release(&self, key: &ReleaseKey) -> Option<Mesh> {
        self.state().releases.get(key).cloned()
    }

    /// The newest 10,000 steps that were asked for, in their order.
    pub fn asked(&self) -> Vec<(ReleaseKey, Step)> {
        self.state().asked.iter().cloned().collect()
    }

    /// Whether traffic was ever lost: the first violation that was seen after a step.
    pub fn check(&self) -> Result<(), Violation> {
        self.state().violation.clone().map_or(Ok(()), Err)
    }

    fn note(&self, spec: &ReleaseSpec, step: &Step) {
        let asked = &mut self.state().asked;
        if asked.len() == ASKED {
            asked.pop_front();
        }
        asked.push_back((spec.key.clone(), step.clone()));
    }

    /// When a step was first asked for: one that was dropped and is asked for again goes on in the mesh meanwhile.
    fn begun(&self, spec: &ReleaseSpec, step: &Step) -> Instant {
        let mut state = self.state();
        let now = (step.clone(), Instant::now());
        let begun = state.begun.entry(spec.key.clone()).or_insert_with(|| now.clone());
        if begun.0 != *step {
            *begun = now;
        }
        begun.1
    }

    /// Performs a step as far as it goes at once.
    fn try_perform(&self, spec: &ReleaseSpec, step: &Step) -> Option<Report> {
        let mut state = self.state();
        let mesh = state.releases.entry(spec.key.clone()).or_insert_with(|| Mesh::new(self.proxies));
        let report = mesh.perform(step).or_else(|| {
            mesh.settle();
            mesh.perform(step)
        });
        // What was bound to the loser ends before the next step: the lag stands for it.
        mesh.settle();
        let checked = mesh.check();
        state.violation = state.violation.take().or(checked.err());
        report
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl release_engine::Mesh for SimulatedMesh {
    #[expect(clippy::panic, reason = "asked for by whoever wants to see what a panic does")]
    async fn perform(&self, spec: &ReleaseSpec, step: &Step) -> Report {
        self.note(spec, step);
        let mut script = self.shared.script.subscribe();
        // The clock of tokio is one of milliseconds: no lag at all is meant to be none.
        if !self.lag.is_zero() {
            tokio::time::sleep_until(self.begun(spec, step) + self.lag).await;
        }
        loop {
            let behave = Arc::clone(&script.borrow_and_update());
            match behave(spec, step) {
                Behaviour::Works => {
                    if let Some(report) = self.try_perform(spec, step) {
                        return report;
                    }
                }
                Behaviour::Refuses(reason) => return step.failed(reason),
                Behaviour::Hangs => {}
                Behaviour::Panics => panic!("the simulated mesh was told to panic"),
            }
            // Whoever can change the script is gone: so is this future, soon.
            if script.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// A process that was restarted remembers nothing; its proxies are taken to run what each task wants.
    async fn restore(&self, tasks: &[ReleaseTask]) {
        let mut state = self.state();
        for task in tasks {
            state.releases.entry(task.key().clone()).or_insert_with(|| restored(self.proxies, task));
        }
    }
}

fn restored(proxies: u8, task: &ReleaseTask) -> Mesh {
    let mut mesh = Mesh::new(proxies);
    let NumberedRouting { generation, routing } = task.wanted().clone();
    if task.phase() != Phase::Deploying {
        mesh.perform(&Step::EnsureReady { generation, version: Version::Grayscale });
        mesh.perform(&Step::Apply { generation, routing });
        mesh.settle();
    }
    mesh
}
