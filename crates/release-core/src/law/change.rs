//! What holds of every change.

use super::{Broken, Input, Law, Outcome};
use crate::{Action, Change, Command, Mode, Phase, ReleaseTask, Stage, Step, Version};

/// Checks the laws that one change can break: 4 to 9 and 13. `after` is what `before` became by `input`.
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
    phases_move_forward(before, input, after)?;
    generations_grow(before, after)?;
    reachable_shrinks_by_confirmation_only(before, after)?;
    the_end_is_final(before, after)?;
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

/// Law 7.
fn phases_move_forward(before: &ReleaseTask, input: &Input, after: &ReleaseTask) -> Result<(), Broken> {
    let back = match input {
        Input::Command(Command::Reopen) => true,
        Input::Command(Command::Delete(Action::Cancel, Mode::Perform | Mode::Require)) => {
            before.phase().action() == Some(Action::End)
        }
        _ => false,
    };
    let forward = rank(after.phase()) >= rank(before.phase());
    Law::Forward.holds(forward || back, "the task moved back")?;
    let same = before.phase().action().is_none() || before.phase().action() == after.phase().action();
    Law::Forward.holds(same || back, "the task is being closed by another action than before")
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
