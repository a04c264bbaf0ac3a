//! What can happen in a world, in words.

use core::fmt;

use release_core::{Command, Mode, Report, Step, Version};

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
            Self::Command(command) => write!(f, "user:    {}", Words(command)),
            Self::Deliver(report) => write!(f, "report:  {}", Words(report)),
            Self::Perform(step) => write!(f, "perform: {}", Words(step)),
            Self::Fail(step) => write!(f, "fail:    {}", Words(step)),
            Self::Move(motion) => write!(f, "mesh:    {motion}"),
        }
    }
}

/// A command, step or report in a few words.
///
/// ```
/// use release_core::{Generation, Routing, Step, Version};
/// use release_testkit::mesh::Words;
///
/// let step = Step::Apply { generation: Generation::new(3), routing: Routing::exclusive(Version::Original) };
/// assert_eq!(Words(&step).to_string(), "apply the routing: all to original (generation 3)");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Words<'a, T>(pub &'a T);

impl fmt::Display for Words<'_, Command> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Command::SetRouting(routing) => write!(f, "set the routing: {routing}"),
            Command::TakeOver(version) => write!(f, "let the {version} version take over"),
            Command::Delete(action, Mode::Perform) => write!(f, "{action}"),
            Command::Delete(action, Mode::Require) => write!(f, "{action}, if that takes no takeover any more"),
            Command::Reopen => f.write_str("reopen"),
        }
    }
}

impl fmt::Display for Words<'_, Step> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.kind())?;
        if let Step::Apply { routing, .. } = self.0 {
            write!(f, ": {routing}")?;
        }
        write!(f, " (generation {})", self.0.generation())
    }
}

impl fmt::Display for Words<'_, Report> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let was = |version: &Version, what| format!("the {version} version is {what}");
        let what = match self.0 {
            Report::Ready { version, .. } => was(version, "ready"),
            Report::Confirmed { by, .. } => format!("the routing is confirmed by {by}"),
            Report::Drained { version, evidence, .. } => format!("{}: {evidence}", was(version, "drained")),
            Report::Retired { version, .. } => was(version, "retired"),
            Report::Failed { step, reason, .. } => format!("could not {step}: {reason}"),
        };
        write!(f, "{what} (generation {})", self.0.generation())
    }
}
