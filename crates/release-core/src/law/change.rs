//! What holds of every change.

use super::{Broken, Input, Law, Outcome};
use crate::{Action, Change, Command, Phase, ReleaseTask, Report, Stage, Step, Version};

/// Checks the laws that one change can break: 4 to 9, 13 and 15. `after` is what `before` became by `input`.
pub fn check_change(before: &ReleaseTask, input: &Input, outcome: &Outcome, after: &ReleaseTask) -> Result<(), Broken> {
    match outcome {
        Outcome::Refused(_) | Outcome::Unexpected(_) => {
            return Law::ErrChangesNothing.holds(before == after, "a refused input changed the task");
        }
        Outcome::Done(Change::Unchanged) => {
            return Law::RepeatIsNothing.holds(before == after, "an input that was to change nothing changed the task");
        }
        Outcome::Done(Change::Changed) => {
            Law::RepeatIsNothing.holds(before != after, "an input that was to change the task changed nothing")?;
        }
    }
    Law::Forward.holds(before.spec() == after.spec(), "the task is about another release than before")?;
    the_end_is_final(before, after)?;
    phases_move_forward(before, input, after)?;
    no_stage_is_skipped(before, input, after)?;
    generations_grow(before, after)?;
    reachable_shrinks_by_confirmation_only(before, after)?;
    the_share_never_falls(before, after)
}

/// Law 8, over the whole life of a task: `asked` are all steps that were ever due, before it changed from `before` to
/// `after`. If one of them came up a second time, an old answer to it would count as a new one.
pub fn check_asked(asked: &[Step], before: &ReleaseTask, after: &ReleaseTask) -> Result<(), Broken> {
    let name = |step: &Step| (step.generation(), step.kind());
    let (old, new) = (before.next_step(), after.next_step());
    let again = new.as_ref().is_some_and(|new| asked.iter().any(|step| name(step) == name(new)));
    let same = old.as_ref().map(name) == new.as_ref().map(name);
    Law::RepeatIsNothing
        .holds(same || !again, "a step that was answered or given up is due again under the same number")
}

/// Law 7: the ways back lead to one place each.
fn phases_move_forward(before: &ReleaseTask, input: &Input, after: &ReleaseTask) -> Result<(), Broken> {
    let (from, to) = (before.phase(), after.phase());
    let back = match (input, before.state().resume()) {
        (Input::Command(Command::Reopen), Some(resume)) => {
            Some(if resume.deployed { Phase::Running } else { Phase::Deploying })
        }
        (Input::Command(Command::Delete(Action::Cancel, _)), Some(_)) if from.action() == Some(Action::End) => {
            Some(Phase::Closing(Action::Cancel, Stage::Preparing))
        }
        _ => None,
    };
    if let Some(back) = back {
        return Law::Forward.holds(to == back, "a reopen, or a cancel over an end, led to another phase than it may");
    }
    Law::Forward.holds(rank(to) >= rank(from), "the task moved back")?;
    let same = from.action().is_none() || from.action() == to.action();
    Law::Forward.holds(same, "the task is being closed by another action than before")
}

/// Law 15.
fn no_stage_is_skipped(before: &ReleaseTask, input: &Input, after: &ReleaseTask) -> Result<(), Broken> {
    let (from, to) = (before.phase(), after.phase());
    if rank(to) <= rank(from) {
        return Ok(()); // Law 7's business.
    }
    let next = match input {
        Input::Command(Command::Delete(action, _)) => Some(Phase::Closing(*action, Stage::Preparing)),
        Input::Report(report) if succeeds(before, report) => next(from),
        Input::Command(_) | Input::Report(_) => None,
    };
    Law::NoStageSkipped.holds(next == Some(to), "a phase was left without the success of its step, or one was left out")
}

/// Whether the report says that the step that is due has succeeded.
fn succeeds(task: &ReleaseTask, report: &Report) -> bool {
    let due = task.next_step().map(|step| (step.generation(), step.kind()));
    due == Some((report.generation(), report.step())) && !matches!(report, Report::Failed { .. })
}

/// Where a step that has succeeded leads, if to another phase.
fn next(phase: Phase) -> Option<Phase> {
    match phase {
        Phase::Deploying => Some(Phase::Running),
        Phase::Closing(action, Stage::Preparing) => Some(Phase::Closing(action, Stage::Routing)),
        Phase::Closing(action, Stage::Routing) => Some(Phase::Closing(action, Stage::Draining)),
        Phase::Closing(action, Stage::Draining) => Some(Phase::Closing(action, Stage::Retiring)),
        Phase::Closing(action, Stage::Retiring) => Some(Phase::Closed(action)),
        Phase::Running | Phase::Closed(_) => None,
    }
}

fn rank(phase: Phase) -> u8 {
    match phase {
        Phase::Deploying => 0,
        Phase::Running => 1,
        Phase::Closing(_, Stage::Preparing) => 2,
        Phase::Closing(_, Stage::Routing) => 3,
        Phase::Closing(_, Stage::Draining) => 4,
        Phase::Closing(_, Stage::Retiring) => 5,
        Phase::Closed(_) => 6,
    }
}

/// Law 7.
fn generations_grow(before: &ReleaseTask, after: &ReleaseTask) -> Result<(), Broken> {
    let (old, new) = (before.wanted(), after.wanted());
    let by = new.generation.get().checked_sub(old.generation.get());
    Law::Forward.holds(matches!(by, Some(0 | 1)), "a generation fell, or left one out")?;
    let new_number = by == Some(1) || old.routing == new.routing;
    Law::Forward.holds(new_number, "a new routing has the number of the one before")?;
    let grew = after.confirmed().generation >= before.confirmed().generation;
    Law::Forward.holds(grew, "an older generation was confirmed after a newer one")
}

/// Law 4.
fn reachable_shrinks_by_confirmation_only(before: &ReleaseTask, after: &ReleaseTask) -> Result<(), Broken> {
    let confirmed = after.confirmed().generation == after.wanted().generation;
    let kept = before.reachable().and(after.reachable()) == after.reachable();
    Law::RetireOnlyUnreachable.holds(kept || confirmed, "a version was forgotten that requests can still reach")
}

/// Laws 5 and 6: past the point of no return nothing about the traffic changes.
fn the_end_is_final(before: &ReleaseTask, after: &ReleaseTask) -> Result<(), Broken> {
    if !matches!(before.phase(), Phase::Closing(_, Stage::Retiring) | Phase::Closed(_)) {
        return Ok(());
    }
    let same = before.wanted() == after.wanted() && before.confirmed() == after.confirmed();
    Law::RetiredStaysOut.holds(same, "the routing changed after the retire step")?;
    let survivor = before.phase().action() == after.phase().action();
    Law::OneSurvives.holds(survivor, "another version survives than the one that was kept")
}

/// Law 13.
fn the_share_never_falls(before: &ReleaseTask, after: &ReleaseTask) -> Result<(), Broken> {
    let Phase::Closing(action, Stage::Routing | Stage::Draining | Stage::Retiring) = before.phase() else {
        return Ok(());
    };
    if after.phase().action() != Some(action) {
        return Ok(()); // Reopened, or a cancel over an end.
    }
    let share = |task: &ReleaseTask| match (task.wanted().routing.weights(), action.survivor()) {
        (Some((original, _)), Version::Original) => original.get(),
        (Some((_, grayscale)), Version::Grayscale) => grayscale.get(),
        (None, _) => 0, // Nothing is promised under rules about content.
    };
    Law::ShareNeverFalls.holds(share(after) >= share(before), "the survivor's share fell")
}
