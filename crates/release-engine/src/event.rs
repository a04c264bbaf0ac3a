//! What an embedder may want to count.

use crate::StoreError;
use release_core::{Phase, ReleaseKey, StepKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Something that happened in this process. For metrics; logs are written with `tracing`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A task was created.
    Created {
        /// Its key.
        key: &'a ReleaseKey,
    },
    /// A task moved to another phase, and that is stored. Told once, also when the answer to the write was lost; a move of
    /// another process is told when this one sees it.
    Moved {
        /// Its key.
        key: &'a ReleaseKey,
        /// Where it was.
        from: Phase,
        /// Where it is.
        to: Phase,
    },
    /// A step did not succeed and will be tried again.
    Failed {
        /// The task's key.
        key: &'a ReleaseKey,
        /// The step.
        step: StepKind,
        /// Who said so: of a few kinds, so that they can be counted.
        cause: Cause,
        /// Why, as it stands in the task. It names proxies and what they said, which is not for everybody.
        reason: &'a str,
    },
    /// A call of the store failed, or had no answer within [`Settings::store_limit`](crate::Settings::store_limit). A write
    /// may have happened all the same: if it has, what it did is told by an event of its own.
    StoreFailed {
        /// Why.
        error: &'a StoreError,
    },
}

/// Who said that a step did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// The mesh: it can't do the step, or waits for something and says for what.
    Mesh,
    /// Nobody: the mesh had no answer within [`Settings::step_limit`](crate::Settings::step_limit).
    NoAnswer,
    /// The mesh adapter answered another step.
    WrongAnswer,
    /// The mesh adapter panicked.
    Panic,
}

/// Who is told of events. It is called where they happen and must not block; nor may it panic, but that only reaches the log.
pub type Observer = Arc<dyn Fn(Event<'_>) + Send + Sync>;

/// Tells the observer.
#[derive(Clone)]
pub(crate) struct Listener(pub(crate) Observer);

impl Listener {
    /// An observer that panics does not take with it what it was told of.
    pub(crate) fn tell(&self, event: Event<'_>) {
        if catch_unwind(AssertUnwindSafe(|| (self.0)(event))).is_err() {
            tracing::error!(?event, "the observer panicked");
        }
    }
}
