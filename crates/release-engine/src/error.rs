//! Why something was not, or not yet, done.

use crate::{StoreError, Timestamp};
use release_core::{Action, Error, Failure, Phase};

/// Why an operation of the engine was not, or not yet, carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The core refused it, and nothing changed.
    #[error("{error}{}", at(closed.as_ref()))]
    Refused {
        /// Why.
        error: Error,
        /// When the task was closed, if that is why.
        closed: Option<Timestamp>,
    },
    /// A delete is recorded and goes on, but the task was not closed when the caller's time was up, or when the engine was
    /// shut down. The same delete may be repeated to wait again.
    #[error("the decision to {action} the release is recorded and goes on; the task is {phase}")]
    NotFinished {
        /// What was asked for.
        action: Action,
        /// How far it is.
        phase: Phase,
        /// Why the step that is due did not succeed the last time, if it was tried.
        failure: Option<Failure>,
    },
    /// A delete was recorded, and then somebody reopened the release.
    #[error("the decision to {action} the release was recorded, but then the release was reopened")]
    Reopened {
        /// What was asked for.
        action: Action,
    },
    /// The engine has been shut down: nothing was changed.
    #[error("the engine is shut down")]
    ShutDown,
    /// The store failed. A write may or may not have happened.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Error> for EngineError {
    fn from(error: Error) -> Self {
        Self::Refused { error, closed: None }
    }
}

fn at(closed: Option<&Timestamp>) -> String {
    closed.map(|at| format!(" (it was closed at {at})")).unwrap_or_default()
}
