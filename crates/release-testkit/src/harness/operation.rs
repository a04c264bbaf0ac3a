//! What can be done with many tasks.

use crate::generate;
use arbitrary::{Arbitrary, Result, Unstructured};
use core::fmt;
use proptest::strategy::BoxedStrategy;
use release_core::{Action, Command, MeshId, Mode, Note, ReleaseKey, ReleaseSpec, Report, Witnesses};

/// One thing that is done with [`Releases`](release_core::Releases).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Create a task.
    Create(ReleaseSpec),
    /// Look at a task.
    Get(ReleaseKey),
    /// List the tasks of a mesh.
    List(MeshId),
    /// Give a task a command.
    Command(ReleaseKey, Command),
    /// The step that is due succeeds: nothing where none is.
    Succeed(ReleaseKey, Witnesses, Note),
    /// The step that is due fails: nothing where none is.
    Fail(ReleaseKey, Note),
    /// One of the reports given so far, to whatever task, comes once more: nothing before the first.
    Repeat(ReleaseKey, u8),
    /// Any report, out of nowhere.
    Report(ReleaseKey, Report),
    /// Preview a delete.
    Plan(ReleaseKey, Action, Mode),
    /// Forget a closed task.
    Remove(ReleaseKey),
    /// Store all tasks, and put them together again.
    Crash,
}

/// Biased to get far: every third operation is the answer to the step that is due. The simplest is to create a task.
impl<'a> Arbitrary<'a> for Operation {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=31)? {
            0..=2 => Self::Create(generate::spec(u)?),
            3..=13 => Self::Succeed(generate::key(u)?, u.arbitrary()?, u.arbitrary()?),
            14 => Self::Fail(generate::key(u)?, u.arbitrary()?),
            // Most commands at random would leave a task running.
            15..=16 => Self::Command(generate::key(u)?, Command::CANCEL),
            17..=18 => Self::Command(generate::key(u)?, Command::END),
            19..=22 => Self::Command(generate::key(u)?, u.arbitrary()?),
            23..=24 => Self::Repeat(generate::key(u)?, u.arbitrary()?),
            25..=26 => Self::Report(generate::key(u)?, u.arbitrary()?),
            27 => Self::Plan(generate::key(u)?, u.arbitrary()?, u.arbitrary()?),
            28 => Self::Remove(generate::key(u)?),
            29 => Self::Get(generate::key(u)?),
            30 => Self::List(generate::mesh(u)?),
            _ => Self::Crash,
        })
    }
}

impl proptest::arbitrary::Arbitrary for Operation {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        release_core::generate::from_bytes()
    }
}

/// A line for people.
impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create(spec) => {
                write!(f, "create {}: {} from {} to {}", spec.key, spec.service, spec.original, spec.grayscale)
            }
            Self::Get(key) => write!(f, "get {key}"),
            Self::List(mesh) => write!(f, "list {mesh}"),
            Self::Command(key, command) => write!(f, "{key}: {command:?}"),
            Self::Succeed(key, ..) => write!(f, "{key}: the step that is due succeeds"),
            Self::Fail(key, reason) => write!(f, "{key}: the step that is due fails, {reason:?}"),
            Self::Repeat(key, which) => write!(f, "{key}: earlier report {which} again"),
            Self::Report(key, report) => write!(f, "{key}: {report:?}"),
            Self::Plan(key, action, mode) => write!(f, "{key}: plan to {action} ({mode:?})"),
            Self::Remove(key) => write!(f, "remove {key}"),
            Self::Crash => f.write_str("crash, and load everything"),
        }
    }
}
