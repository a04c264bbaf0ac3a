//! One more input, and everything that must hold of it.

use super::{Broken, Law, check_change, check_future, check_task};
use crate::{Change, Command, Error, ReleaseTask, Report, UnexpectedReport};

/// Anything that can change a task.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "camelCase"))]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Input {
    /// A user's command.
    Command(Command),
    /// A report from the outside world.
    Report(Report),
}

/// What came of an [`Input`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Outcome {
    /// It was taken in.
    Done(Change),
    /// The command was refused.
    Refused(Error),
    /// The report was refused.
    Unexpected(UnexpectedReport),
}

impl From<Command> for Input {
    fn from(command: Command) -> Self {
        Self::Command(command)
    }
}

impl From<Report> for Input {
    fn from(report: Report) -> Self {
        Self::Report(report)
    }
}

impl From<Result<Change, Error>> for Outcome {
    fn from(result: Result<Change, Error>) -> Self {
        result.map_or_else(Self::Refused, Self::Done)
    }
}

impl From<Result<Change, UnexpectedReport>> for Outcome {
    fn from(result: Result<Change, UnexpectedReport>) -> Self {
        result.map_or_else(Self::Unexpected, Self::Done)
    }
}

impl ReleaseTask {
    /// Takes in a command or a report.
    pub fn input(&mut self, input: Input) -> Outcome {
        match input {
            Input::Command(command) => self.command(command).into(),
            Input::Report(report) => self.report(report).into(),
        }
    }
}

/// Takes `input` in on a copy of the task and checks every law of the change, of the state after it, of its repetition and
/// of the future from there. Returns the copy and what came of the input.
pub fn check_input(task: &ReleaseTask, input: &Input) -> Result<(ReleaseTask, Outcome), Broken> {
    let mut after = task.clone();
    let outcome = after.input(input.clone());
    check_change(task, input, &outcome, &after)?;
    check_task(&after)?;
    check_repeated(&after, input, &outcome)?;
    check_future(&after)?;
    Ok((after, outcome))
}

/// Law 8: `task` took in `input` already, with that outcome.
pub(super) fn check_repeated(task: &ReleaseTask, input: &Input, outcome: &Outcome) -> Result<(), Broken> {
    let mut again = task.clone();
    let repeated = again.input(input.clone());
    let nothing = match (outcome, &repeated) {
        (Outcome::Done(_), Outcome::Done(Change::Unchanged)) => true,
        // What the first one closed is not found by the second.
        (Outcome::Done(_), Outcome::Refused(Error::Closed { .. })) => task.phase().is_closed(),
        (Outcome::Done(_), _) => false,
        (refused, again) => refused == again,
    };
    Law::RepeatIsNothing.holds(nothing && again == *task, "the same input once more did something else than nothing")
}

/// Runs a change; in debug builds, checks it and the state after it.
pub(crate) fn guard<I: Clone + Into<Input>, E: Clone>(
    task: &mut ReleaseTask,
    input: I,
    change: impl FnOnce(&mut ReleaseTask, I) -> Result<Change, E>,
) -> Result<Change, E>
where
    Outcome: From<Result<Change, E>>,
{
    if !cfg!(debug_assertions) {
        return change(task, input);
    }
    let (before, given) = (task.clone(), input.clone().into());
    let result = change(task, input);
    let checked = check_change(&before, &given, &result.clone().into(), task).and_then(|()| check_task(task));
    debug_assert_eq!(checked, Ok(()), "{before:?} took in {given:?} and became {task:?}");
    result
}
