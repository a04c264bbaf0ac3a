//! What holds of everything a state leads to.

use super::{Broken, Law};
use crate::{Action, Command, Mode, Phase, PlannedStep, ReleaseTask, Stage, StoredTask, Witnesses};
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
        check_closing(task, action)?;
    }
    let stored = ReleaseTask::try_from(StoredTask::from(task.clone()));
    check_stored(task, stored.ok().as_ref())
}

/// Law 10: `task` became the second by a cancel and then an end, and the third by an end and then a cancel.
pub fn check_commuting(task: &ReleaseTask, cancel_first: &ReleaseTask, end_first: &ReleaseTask) -> Result<(), Broken> {
    let decided = matches!(task.phase(), Phase::Closing(_, Stage::Retiring) | Phase::Closed(_));
    Law::Commute.holds(decided || cancel_first == end_first, "of a cancel and an end, the order decided")
}

/// Law 11: tries it on a copy.
pub fn check_closing(task: &ReleaseTask, action: Action) -> Result<(), Broken> {
    let Ok(plan) = task.plan(action, Mode::Perform) else { return Ok(()) };
    let mut closing = task.clone();
    let _ = closing.command(Command::Delete(action, Mode::Perform));
    let mut taken = Vec::new();
    while let Some(step) = closing.next_step() {
        Law::ClosesInFour.holds(taken.len() < 4, "a fifth report was needed")?;
        let report = step.succeeded(Witnesses::one("a proxy"), "nothing in flight");
        Law::ClosesInFour.holds(closing.report(report).is_ok(), "the answer to a step was refused")?;
        taken.push(PlannedStep { step, phase: closing.phase(), routing: closing.confirmed().routing.clone() });
    }
    Law::ClosesInFour.holds(closing.phase() == Phase::Closed(action), "the steps ended before the task was closed")?;
    Law::ClosesInFour.holds(plan.steps == taken, "the preview named other steps than were taken")
}

/// Law 12: `restored` is what came back when `task` was stored and loaded.
pub fn check_stored(task: &ReleaseTask, restored: Option<&ReleaseTask>) -> Result<(), Broken> {
    let same = restored.is_some_and(|restored| restored == task && restored.next_step() == task.next_step());
    Law::Survives.holds(same, "the task was not the same after storing and loading it")
}
