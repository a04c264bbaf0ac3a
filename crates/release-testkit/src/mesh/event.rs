//! What can happen in a world, in words.

use core::fmt;

use release_core::{Command, Report, Step};

use super::Motion;

/// One thing that happens in a [`World`](super::World). Its `Display` form is a line of a transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A user gives a command.
    Command(Command),
    /// A report reaches the task.
    Deliver(Report),
    /// The mesh performs a step.
    Perform(Step),
    /// A step fails for a reason outside the mesh.
    Fail(Step),
    /// Something happens in the mesh by itself.
    Move(Motion),
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(command) => write!(f, "user:    {command}"),
            Self::Deliver(report) => write!(f, "report:  {report}"),
            Self::Perform(step) => write!(f, "perform: {step}"),
            Self::Fail(step) => write!(f, "fail:    {step}"),
            Self::Move(motion) => write!(f, "mesh:    {motion}"),
        }
    }
}
