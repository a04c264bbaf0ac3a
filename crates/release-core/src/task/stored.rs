//! The stored form of a task: versioned, and apart from the fields of the type.

use super::state::{Resume, State};
use super::{ReleaseSpec, ReleaseTask};
use crate::law::{self, Broken};
use crate::{Action, Generation, Note, NumberedRouting, Owners, ReleaseKey, Routing, Service, VersionLabel, Witnesses};

/// A task as it is stored: `{"v1": {..}}`, readable in any format that serde writes.
///
/// A change that old data does not fit becomes a `v2`, and `v1` goes on being read. What is decoded is not trusted:
/// turning it into a [`ReleaseTask`] checks the laws.
///
/// ```
/// use release_core::{ReleaseKey, ReleaseSpec, ReleaseTask, StoredTask};
///
/// let task = ReleaseTask::new(ReleaseSpec {
///     key: ReleaseKey::parse("mesh-1", "shop", "3f2a")?,
///     service: "cart".parse()?,
///     original: "v1".parse()?,
///     grayscale: "v2".parse()?,
/// })?;
/// let stored = StoredTask::from(task.clone());
/// assert_eq!(ReleaseTask::try_from(stored)?, task);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct StoredTask(Format);

#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
enum Format {
    V1(V1),
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "camelCase", deny_unknown_fields)
)]
struct V1 {
    key: ReleaseKey,
    service: Service,
    original: VersionLabel,
    grayscale: VersionLabel,
    phase: PhaseV1,
    action: Option<Action>,
    resume: Option<ResumeV1>,
    wanted: NumberedRouting,
    confirmed: NumberedRouting,
    reachable: Owners,
    confirmed_by: Option<Witnesses>,
    drained: Option<Note>,
    failure: Option<Note>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
enum PhaseV1 {
    Deploying,
    Running,
    Preparing,
    Routing,
    Draining,
    Retiring,
    Closed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
struct ResumeV1 {
    deployed: bool,
    routing: Routing,
}

/// Why a stored task was refused. It was not written by this library, or was damaged since.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoredError {
    /// The task breaks a law.
    #[error("the stored task {key} is refused: {broken}")]
    Law {
        /// The task's key, as it is stored.
        key: ReleaseKey,
        /// The law.
        broken: Broken,
    },
    /// Parts of the task don't fit each other.
    #[error("the stored task {key} contradicts itself: {what}")]
    Contradiction {
        /// The task's key, as it is stored.
        key: ReleaseKey,
        /// Which parts.
        what: &'static str,
    },
}

/// No task lives for that many commands, and one that did still has room for as many more.
const MOST_GENERATIONS: Generation = Generation::new(u64::MAX / 2);

impl TryFrom<StoredTask> for ReleaseTask {
    type Error = StoredError;

    fn try_from(stored: StoredTask) -> Result<Self, StoredError> {
        let task = stored.unchecked()?;
        let contradiction = |what| StoredError::Contradiction { key: task.key().clone(), what };
        if task.spec.original == task.spec.grayscale {
            return Err(contradiction("the two versions have the same label"));
        }
        if task.wanted.generation > MOST_GENERATIONS {
            return Err(contradiction("its generation is higher than any task's ever gets"));
        }
        if task.failure.is_some() && task.due().is_none() {
            return Err(contradiction("a failure, but no step is due"));
        }
        law::check_task(&task).map_err(|broken| StoredError::Law { key: task.key().clone(), broken })?;
        Ok(task)
    }
}

impl StoredTask {
    /// The task as it stands there, whether or not it keeps the laws.
    pub(crate) fn unchecked(self) -> Result<ReleaseTask, StoredError> {
        let Format::V1(stored) = self.0;
        let state = match (stored.phase, stored.action, stored.resume, stored.confirmed_by, stored.drained) {
            (PhaseV1::Deploying, None, None, None, None) => State::Deploying,
            (PhaseV1::Running, None, None, None, None) => State::Running,
            (PhaseV1::Preparing, Some(action), Some(resume), None, None) => {
                State::Preparing { action, resume: resume.into() }
            }
            (PhaseV1::Routing, Some(action), Some(resume), None, None) => {
                State::Routing { action, resume: resume.into() }
            }
            (PhaseV1::Draining, Some(action), Some(resume), Some(confirmed_by), None) => {
                State::Draining { action, resume: resume.into(), confirmed_by }
            }
            (PhaseV1::Retiring, Some(action), None, Some(confirmed_by), Some(drained)) => {
                State::Retiring { action, confirmed_by, drained }
            }
            (PhaseV1::Closed, Some(action), None, Some(confirmed_by), Some(drained)) => {
                State::Closed { action, confirmed_by, drained }
            }
            _ => {
                return Err(StoredError::Contradiction {
                    key: stored.key,
                    what: "its phase does not go with its action, resume, confirmedBy and drained",
                });
            }
        };
        let spec = ReleaseSpec {
            key: stored.key,
            service: stored.service,
            original: stored.original,
            grayscale: stored.grayscale,
        };
        let (wanted, confirmed) = (stored.wanted, stored.confirmed);
        Ok(ReleaseTask { spec, state, wanted, confirmed, reachable: stored.reachable, failure: stored.failure })
    }
}

impl From<ReleaseTask> for StoredTask {
    fn from(task: ReleaseTask) -> Self {
        let action = task.phase().action();
        let (phase, resume, confirmed_by, drained) = match task.state {
            State::Deploying => (PhaseV1::Deploying, None, None, None),
            State::Running => (PhaseV1::Running, None, None, None),
            State::Preparing { resume, .. } => (PhaseV1::Preparing, Some(resume), None, None),
            State::Routing { resume, .. } => (PhaseV1::Routing, Some(resume), None, None),
            State::Draining { resume, confirmed_by, .. } => (PhaseV1::Draining, Some(resume), Some(confirmed_by), None),
            State::Retiring { confirmed_by, drained, .. } => {
                (PhaseV1::Retiring, None, Some(confirmed_by), Some(drained))
            }
            State::Closed { confirmed_by, drained, .. } => (PhaseV1::Closed, None, Some(confirmed_by), Some(drained)),
        };
        Self(Format::V1(V1 {
            key: task.spec.key,
            service: task.spec.service,
            original: task.spec.original,
            grayscale: task.spec.grayscale,
            phase,
            action,
            resume: resume.map(Into::into),
            wanted: task.wanted,
            confirmed: task.confirmed,
            reachable: task.reachable,
            confirmed_by,
            drained,
            failure: task.failure,
        }))
    }
}

impl From<ResumeV1> for Resume {
    fn from(ResumeV1 { deployed, routing }: ResumeV1) -> Self {
        Self { deployed, routing }
    }
}

impl From<Resume> for ResumeV1 {
    fn from(Resume { deployed, routing }: Resume) -> Self {
        Self { deployed, routing }
    }
}
