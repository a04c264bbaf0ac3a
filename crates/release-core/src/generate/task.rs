//! Tasks that commands and reports lead to.

use super::{list, valid};
use crate::law::Input;
use crate::{Command, Generation, Note, ReleaseSpec, ReleaseTask, Releases, StoredTask, VersionLabel, Witnesses};
use alloc::vec::Vec;
use arbitrary::{Arbitrary, Result, Unstructured};

/// The most moves that make a task: enough to be deployed, reopened and closed with something in between.
pub(super) const MOVES: usize = 16;

/// The most tasks of a collection.
pub(super) const TASKS: usize = 4;

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
        if let Some(input) = next.input(&task) {
            task.input(input);
        }
    }
    Ok(task)
}

/// Tasks side by side, each with its own life. What is about the same release, or the same service, as one before is
/// left out.
pub(super) fn together(lives: Vec<(ReleaseSpec, Vec<Move>)>) -> Releases {
    let mut releases = Releases::new();
    for (spec, moves) in lives {
        let key = spec.key.clone();
        if releases.create(spec).is_err() {
            continue;
        }
        for next in moves {
            match releases.get(&key).ok().and_then(|task| next.input(task)) {
                Some(Input::Command(command)) => drop(releases.command(&key, command)),
                Some(Input::Report(report)) => drop(releases.report(&key, report)),
                None => {}
            }
        }
    }
    releases
}

impl Move {
    /// What it is to a task: nothing, if no step is due.
    fn input(self, task: &ReleaseTask) -> Option<Input> {
        Some(match self {
            Self::Succeed(by, evidence) => task.next_step()?.succeeded(by, evidence).into(),
            Self::Fail(reason) => task.next_step()?.failed(reason).into(),
            Self::Input(input) => input,
        })
    }
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

impl<'a> Arbitrary<'a> for Releases {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let lives = 0..u.int_in_range(0..=TASKS)?;
        Ok(together(lives.map(|_| Ok((u.arbitrary()?, list(u, 0..=MOVES)?))).collect::<Result<_>>()?))
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
