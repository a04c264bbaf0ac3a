//! What an embedder may want to count.

use release_core::{Phase, ReleaseKey, StepKind};
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
    /// A task moved to another phase, and that is stored.
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
        /// Why, as it stands in the task.
        reason: &'a str,
    },
}

/// Who is told of events. It is called where they happen and must not block.
pub type Observer = Arc<dyn Fn(Event<'_>) + Send + Sync>;
