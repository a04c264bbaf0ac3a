//! When to kill.

use release_core::{Action, Phase, ReleaseKey, Stage, Step, Version};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// Every phase in which a server can be killed while there is something to do.
pub(crate) const PHASES: [Phase; 10] = [
    Phase::Deploying,
    Phase::Running,
    Phase::Closing(Action::Cancel, Stage::Preparing),
    Phase::Closing(Action::Cancel, Stage::Routing),
    Phase::Closing(Action::Cancel, Stage::Draining),
    Phase::Closing(Action::Cancel, Stage::Retiring),
    Phase::Closing(Action::End, Stage::Preparing),
    Phase::Closing(Action::End, Stage::Routing),
    Phase::Closing(Action::End, Stage::Draining),
    Phase::Closing(Action::End, Stage::Retiring),
];

/// When, in the life of a step, the server is killed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Moment {
    /// It was asked for, and never happens.
    Before,
    /// It was asked for, and happens when the server is dead.
    During,
    /// It happened and was answered: the task is being stored.
    After,
}

/// Waits for a step of a phase.
#[derive(Default)]
pub(crate) struct Aim(Mutex<Option<Target>>);

struct Target {
    phase: Phase,
    moment: Moment,
    hit: oneshot::Sender<ReleaseKey>,
}

/// Says when the moment has come, with the release it came for.
pub(crate) struct Shot {
    key: ReleaseKey,
    hit: oneshot::Sender<ReleaseKey>,
}

impl Aim {
    /// Aims at the next step of that phase; what this returns says when the moment has come.
    pub(crate) fn at(&self, phase: Phase, moment: Moment) -> oneshot::Receiver<ReleaseKey> {
        let (hit, wait) = oneshot::channel();
        *self.target() = Some(Target { phase, moment, hit });
        wait
    }

    /// Whether this step was aimed at, and which moment of it.
    pub(crate) fn look(&self, key: &ReleaseKey, step: &Step) -> Option<(Moment, Shot)> {
        let mut target = self.target();
        let found = target.take_if(|target| target.phase == phase_of(step))?;
        Some((found.moment, Shot { key: key.clone(), hit: found.hit }))
    }

    fn target(&self) -> MutexGuard<'_, Option<Target>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shot {
    pub(crate) fn now(self) {
        // Nobody waits any more if the time for it was over.
        let _ = self.hit.send(self.key);
    }
}

/// The phase in which a task of these clients asks for this step.
fn phase_of(step: &Step) -> Phase {
    let closing = |survivor, stage| {
        let action = if survivor == Version::Original { Action::Cancel } else { Action::End };
        Phase::Closing(action, stage)
    };
    match step {
        Step::EnsureReady { generation, version: Version::Grayscale } if generation.get() == 1 => Phase::Deploying,
        Step::EnsureReady { version, .. } => closing(*version, Stage::Preparing),
        Step::Apply { generation, routing } => match routing.sole_owner() {
            Some(Version::Grayscale) => closing(Version::Grayscale, Stage::Routing),
            // The second is the routing that a task finds.
            Some(Version::Original) if generation.get() > 2 => closing(Version::Original, Stage::Routing),
            _ => Phase::Running,
        },
        Step::Drain { version, .. } => closing(version.other(), Stage::Draining),
        Step::Retire { version, .. } => closing(version.other(), Stage::Retiring),
    }
}
