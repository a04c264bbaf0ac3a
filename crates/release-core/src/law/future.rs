//! What holds of everything a state leads to.

use super::{Broken, Law};
use crate::{Action, Command, Mode, Phase, Plan, PlannedStep, ReleaseTask, Stage, StoredTask, Witnesses};
use alloc::vec::Vec;

/// Checks the laws about what a state leads to: 10, 11 and 12, by trying it on copies.
pub fn check_future(task: &ReleaseTask) -> Result<(), Broken> {
    for mode in [Mode::Perform, Mode::Require] {
        let after = |first, second| {
            let mut task = task.clone();
            let _ = task.command(Command::Delete(first, mode));
            let _ = task.command(Command::Delete(second, mode));
            task
        };
        let (cancel_first, end_first) = (after(Action::Cancel, Action::End), after(Action::End, Action::Cancel));
        check_commuting(task, &cancel_first, &end_first)?;
    }
    for action in [Action::Cancel, Action::End] {
        if let Ok(plan) = task.plan(action, Mode::Perform) {
            let (taken, end) = close(task.clone(), action);
            check_takeover(&plan, &taken, end)?;
        }
    }
    let stored = ReleaseTask::try_from(StoredTask::from(task.clone()));
    check_stored(task, stored.ok().as_ref())
}

/// Law 10: `task` became the second by a cancel and then an end, and the third by an end and then a cancel.
pub fn check_commuting(task: &ReleaseTask, cancel_first: &ReleaseTask, end_first: &ReleaseTask) -> Result<(), Broken> {
    let decided = matches!(task.phase(), Phase::Closing(_, Stage::Retiring) | Phase::Closed(_));
    Law::Commute.holds(decided || cancel_first == end_first, "of a cancel and an end, the order decided")
}

/// Law 11: a takeover took these steps and ended in that phase; `plan` is what was foretold.
pub fn check_takeover(plan: &Plan, taken: &[PlannedStep], end: Phase) -> Result<(), Broken> {
    Law::ClosesInFour.holds(taken.len() <= 4, "a fifth report was needed")?;
    Law::ClosesInFour.holds(end == Phase::Closed(plan.action), "the steps ended before the task was closed")?;
    Law::ClosesInFour.holds(plan.steps == taken, "the preview named other steps than were taken")
}

/// The steps of a takeover in which each succeeds, until one is refused, there is none, or there is one too many.
fn close(mut task: ReleaseTask, action: Action) -> (Vec<PlannedStep>, Phase) {
    let _ = task.command(Command::Delete(action, Mode::Perform));
    let mut taken = Vec::new();
    for _ in 0..5 {
        let Some(step) = task.next_step() else { break };
        if task.report(step.succeeded(Witnesses::one("a proxy"), "nothing in flight")).is_err() {
            break;
        }
        taken.push(PlannedStep { step, phase: task.phase(), routing: task.confirmed().routing.clone() });
    }
    (taken, task.phase())
}

/// Law 12: `restored` is what came back when `task` was stored and loaded.
pub fn check_stored(task: &ReleaseTask, restored: Option<&ReleaseTask>) -> Result<(), Broken> {
    // Equal tasks have the same next step: it is a function of the state.
    Law::Survives.holds(restored == Some(task), "the task was not the same after storing and loading it")
}
