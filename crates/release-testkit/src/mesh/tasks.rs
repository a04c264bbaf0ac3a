//! How a world gets at its task.

use std::sync::Arc;

use release_core::law::{Input, Outcome, check_input};
use release_core::{ReleaseTask, Report};

use super::Violation;

/// How a [`World`](super::World) changes and checks its task: [directly](Direct), or from a memory of what came of the
/// same before.
pub trait Tasks {
    /// Takes `input` in, checks all laws, and returns the task after it and what came of it.
    fn input(&mut self, task: &Arc<ReleaseTask>, input: &Input) -> Result<(Arc<ReleaseTask>, Arc<Outcome>), Violation>;

    /// Stores the task, loads it, and checks that it is the same.
    fn reload(&mut self, task: &Arc<ReleaseTask>) -> Result<Arc<ReleaseTask>, Violation>;

    /// Whether `report` can't change the task any more, whatever happens to it. `false` is always a safe answer.
    fn is_spent(&mut self, task: &Arc<ReleaseTask>, report: &Report) -> Result<bool, Violation> {
        Ok(report.generation() < task.wanted().generation)
    }
}

/// Does it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Direct;

impl Tasks for Direct {
    fn input(&mut self, task: &Arc<ReleaseTask>, input: &Input) -> Result<(Arc<ReleaseTask>, Arc<Outcome>), Violation> {
        let (after, outcome) = check_input(task, input)?;
        let after = if after == **task { task.clone() } else { Arc::new(after) };
        Ok((after, Arc::new(outcome)))
    }

    fn reload(&mut self, task: &Arc<ReleaseTask>) -> Result<Arc<ReleaseTask>, Violation> {
        let unreadable = |error: serde_json::Error| Violation::Stored(error.to_string());
        let stored = serde_json::to_string(&**task).map_err(unreadable)?;
        let loaded: ReleaseTask = serde_json::from_str(&stored).map_err(unreadable)?;
        if loaded == **task && loaded.next_step() == task.next_step() {
            Ok(Arc::new(loaded))
        } else {
            Err(Violation::Altered)
        }
    }
}
