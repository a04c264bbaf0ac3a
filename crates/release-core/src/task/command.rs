//! What the user wants.

use super::state::Resume;
use super::{ReleaseTask, State};
use crate::law;
use crate::{Action, Error, Mode, Owners, Phase, Routing, Stage, Version};
use alloc::boxed::Box;
use core::fmt;

/// What a user can ask of a task.
///
/// ```
/// use release_core::{Action, Command, Mode};
///
/// assert_eq!(Command::CANCEL.to_string(), "cancel");
/// let require = Command::Delete(Action::End, Mode::Require);
/// assert_eq!(require.to_string(), "end, if that takes no takeover any more");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "camelCase"))]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Command {
    /// Set the routing. Only while the task is running. The user decides: whether the versions that get requests are ready
    /// is asked by closing alone, and nothing is retired.
    SetRouting(Routing),
    /// Give one version all traffic, without finishing the task: the same as [`SetRouting`](Self::SetRouting) with its
    /// exclusive routing. Only while the task is running.
    TakeOver(Version),
    /// Finish the task.
    Delete(Action, Mode),
    /// Stop finishing the task and go back to the routing that was wanted last, without asking whether the versions that it
    /// gives requests are still ready. Until the loser is being retired.
    Reopen,
}

impl Command {
    /// Cancel the release and perform the takeover by the original version.
    pub const CANCEL: Self = Self::Delete(Action::Cancel, Mode::Perform);
    /// End the release and perform the takeover by the grayscale version.
    pub const END: Self = Self::Delete(Action::End, Mode::Perform);
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetRouting(routing) => write!(f, "set the routing: {routing}"),
            Self::TakeOver(version) => write!(f, "let the {version} version take over"),
            Self::Delete(action, Mode::Perform) => write!(f, "{action}"),
            Self::Delete(action, Mode::Require) => write!(f, "{action}, if that takes no takeover any more"),
            Self::Reopen => f.write_str("reopen"),
        }
    }
}

/// Whether a command or a report changed the task, so that it must be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[must_use = "a changed task must be stored before its next step is performed"]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Change {
    /// The task is another than before.
    Changed,
    /// The task is as it was: the command or report was a repetition, or late.
    Unchanged,
}

impl ReleaseTask {
    /// Carries out a command, or refuses it and leaves the task as it was. Repeating a command changes nothing.
    pub fn command(&mut self, command: Command) -> Result<Change, Error> {
        law::guard(self, command, |task, command| match command {
            Command::SetRouting(routing) => task.set_routing(routing),
            Command::TakeOver(version) => task.set_routing(Routing::exclusive(version)),
            Command::Delete(action, mode) => task.delete(action, mode),
            Command::Reopen => task.reopen(),
        })
    }

    fn set_routing(&mut self, routing: Routing) -> Result<Change, Error> {
        match self.phase() {
            Phase::Running if self.wanted.routing == routing => Ok(Change::Unchanged),
            Phase::Running => {
                self.want(routing);
                self.go(State::Running);
                Ok(Change::Changed)
            }
            Phase::Closed(action) => Err(self.closed(action)),
            Phase::Closing(action, Stage::Retiring) => Err(Error::PointOfNoReturn { action }),
            phase @ (Phase::Deploying | Phase::Closing(..)) => Err(Error::NotRunning { phase }),
        }
    }

    fn delete(&mut self, action: Action, mode: Mode) -> Result<Change, Error> {
        match self.phase() {
            Phase::Closed(closed) => return Err(self.closed(closed)),
            Phase::Closing(current, _) if current == action => return Ok(Change::Unchanged),
            Phase::Closing(current, Stage::Retiring) => return Err(Error::PointOfNoReturn { action: current }),
            Phase::Closing(Action::Cancel, _) => return Err(Error::CancelUnderWay),
            Phase::Deploying if action == Action::End => return Err(Error::EndBeforeReady),
            Phase::Deploying | Phase::Running | Phase::Closing(Action::End, _) => {}
        }
        let survivor = action.survivor();
        if mode == Mode::Require && self.reachable != Owners::Only(survivor) {
            return Err(Error::TakeoverRequired { action, survivor, phase: self.phase() });
        }
        let resume = self
            .state
            .take_resume()
            .unwrap_or_else(|| Resume { deployed: self.state == State::Running, routing: self.wanted.routing.clone() });
        self.go(State::Preparing { action, resume });
        Ok(Change::Changed)
    }

    fn reopen(&mut self) -> Result<Change, Error> {
        match self.phase() {
            Phase::Deploying | Phase::Running => return Ok(Change::Unchanged),
            Phase::Closed(action) => return Err(self.closed(action)),
            Phase::Closing(action, _) => {
                let Some(Resume { deployed, routing }) = self.state.take_resume() else {
                    return Err(Error::PointOfNoReturn { action });
                };
                // Always a new generation, even for the same routing: answers to the takeover that is given up are old.
                self.want(routing);
                self.go(if deployed { State::Running } else { State::Deploying });
            }
        }
        Ok(Change::Changed)
    }

    fn closed(&self, action: Action) -> Error {
        Error::Closed { key: Box::new(self.key().clone()), action }
    }
}
