//! Tasks that commands and reports lead to.

use super::{list, valid};
use crate::law::Input;
use crate::{Command, Generation, Note, ReleaseSpec, ReleaseTask, StoredTask, VersionLabel, Witnesses};
use alloc::vec::Vec;
use arbitrary::{Arbitrary, Result, Unstructured};

/// The most moves that make a task: enough to be deployed, reopened and closed with something in between.
pub(super) const MOVES: usize = 16;

/// One move in the life of a task.
#[derive(Clone, Debug)]
pub(super) enum Move {
    /// The step that is due succeeds.
    Succeed(Witnesses, Note),
    /// The step that is due fails.
    Fail(Note),
    /// A command, or a report that answers nothing in particular.
    Input(Input),
}

/// What becomes of a new task by these moves. What is refused on the way changes nothing.
pub(super) fn drive(spec: ReleaseSpec, moves: Vec<Move>) -> Result<ReleaseTask> {
    let mut task = valid(ReleaseTask::new(spec))?;
    for next in moves {
        let input = match (next, task.next_step()) {
            (Move::Succeed(by, evidence), Some(step)) => step.succeeded(by, evidence).into(),
            (Move::Fail(reason), Some(step)) => step.failed(reason).into(),
            (Move::Input(input), _) => input,
            (Move::Succeed(..) | Move::Fail(_), None) => continue,
        };
        task.input(input);
    }
    Ok(task)
}

impl<'a> Arbitrary<'a> for Move {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=15)? {
            0..=8 => Self::Succeed(u.arbitrary()?, u.arbitrary()?),
            9 => Self::Fail(u.arbitrary()?),
            // Most commands at random would leave the task running.
            10 => Self::Input(Command::CANCEL.into()),
            11..=12 => Self::Input(Command::END.into()),
            13..=14 => Self::Input(Input::Command(u.arbitrary()?)),
            _ => Self::Input(Input::Report(u.arbitrary()?)),
        })
    }
}

impl<'a> Arbitrary<'a> for ReleaseTask {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        drive(u.arbitrary()?, list(u, 0..=MOVES)?)
    }
}

impl<'a> Arbitrary<'a> for StoredTask {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        u.arbitrary::<ReleaseTask>().map(Self::from)
    }
}

/// Always of two different versions, so that it makes a task.
impl<'a> Arbitrary<'a> for ReleaseSpec {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let (key, service, original): (_, _, VersionLabel) = u.arbitrary()?;
        let mut grayscale: VersionLabel = u.arbitrary()?;
        if grayscale == original {
            grayscale = valid(VersionLabel::try_from(if original.as_str() == "v2" { "v1" } else { "v2" }))?;
        }
        Ok(Self { key, service, original, grayscale })
    }
}

/// Mostly one that a short life reaches.
impl<'a> Arbitrary<'a> for Generation {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self::new(if u.ratio(7, 8)? { u.int_in_range(0..=6)? } else { u.arbitrary()? }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Version;

    #[test]
    fn the_simplest_task_is_a_new_one() {
        let task = ReleaseTask::arbitrary(&mut Unstructured::new(&[])).unwrap();
        assert_eq!(task, ReleaseTask::new(task.spec().clone()).unwrap());
        assert_ne!(task.spec().label(Version::Original), task.spec().label(Version::Grayscale));
    }
}
