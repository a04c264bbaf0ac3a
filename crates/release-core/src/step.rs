//! Steps out, reports in: the task's conversation with the outside world.

use crate::{Note, Routing, Version};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

/// The number of a routing of one task: 1 for the first, one more for each new one.
///
/// It is the fencing token: a mesh refuses to go back to an older one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Generation(u64);

impl Generation {
    /// The mesh as the task found it, before its first own routing.
    pub const ZERO: Self = Self(0);

    /// The generation with that number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The one after this. (No task lives for 2^64 commands; at the very end the number stays.)
    pub(crate) fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A routing and its number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct NumberedRouting {
    /// Which of the task's routings this is.
    pub generation: Generation,
    /// The routing.
    pub routing: Routing,
}

/// What must be done next, as data.
///
/// Whoever drives the task performs it and answers with a [`Report`]. Steps are idempotent by contract: after a crash the
/// same step is asked for again. A mesh does nothing for a step of an older generation than the newest it has seen, or of
/// a release that is closed: it is asked by one who does not know what happened since.
///
/// ```
/// use release_core::{Generation, Routing, Step, Version};
///
/// let step = Step::Apply { generation: Generation::new(3), routing: Routing::exclusive(Version::Original) };
/// assert_eq!(step.to_string(), "apply the routing: all to original (generation 3)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "camelCase"))]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Step {
    /// Make sure that `version` runs, is healthy and can take all traffic.
    EnsureReady {
        /// The generation the task is at.
        generation: Generation,
        /// The version.
        version: Version,
    },
    /// Make `routing` effective in every proxy. A mesh that has applied a newer generation refuses.
    Apply {
        /// The generation of this routing.
        generation: Generation,
        /// What every proxy should do.
        routing: Routing,
    },
    /// Wait until no request bound to `version` can still arrive. Every proxy runs this generation already.
    Drain {
        /// The generation that every proxy confirmed.
        generation: Generation,
        /// The loser.
        version: Version,
    },
    /// Delete `version`'s workloads and mesh configuration: the point of no return.
    Retire {
        /// The generation that every proxy confirmed.
        generation: Generation,
        /// The loser.
        version: Version,
    },
}

impl Step {
    /// The generation the task was at when it asked.
    pub fn generation(&self) -> Generation {
        match self {
            Self::EnsureReady { generation, .. }
            | Self::Apply { generation, .. }
            | Self::Drain { generation, .. }
            | Self::Retire { generation, .. } => *generation,
        }
    }

    /// What is to be done, without the routing.
    pub fn kind(&self) -> StepKind {
        match self {
            Self::EnsureReady { version, .. } => StepKind::EnsureReady(*version),
            Self::Apply { .. } => StepKind::Apply,
            Self::Drain { version, .. } => StepKind::Drain(*version),
            Self::Retire { version, .. } => StepKind::Retire(*version),
        }
    }

    /// The report that this step did not succeed, and why. The task asks for the step again.
    pub fn failed(&self, reason: impl Into<Note>) -> Report {
        Report::Failed { generation: self.generation(), step: self.kind(), reason: reason.into() }
    }

    /// The report that this step succeeded, as `witnesses` and `evidence` say where they are needed: who confirmed a
    /// routing, how it is known that a version is drained.
    ///
    /// ```
    /// use release_core::{Generation, Report, Step, Version, Witnesses};
    ///
    /// let step = Step::Retire { generation: Generation::new(3), version: Version::Original };
    /// let report = step.succeeded(Witnesses::one("envoy-1"), "idle");
    /// assert_eq!(report, Report::Retired { generation: Generation::new(3), version: Version::Original });
    /// ```
    pub fn succeeded(&self, witnesses: Witnesses, evidence: impl Into<Note>) -> Report {
        match *self {
            Self::EnsureReady { generation, version } => Report::Ready { generation, version },
            Self::Apply { generation, .. } => Report::Confirmed { generation, by: witnesses },
            Self::Drain { generation, version } => Report::Drained { generation, version, evidence: evidence.into() },
            Self::Retire { generation, version } => Report::Retired { generation, version },
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind())?;
        if let Self::Apply { routing, .. } = self {
            write!(f, ": {routing}")?;
        }
        write!(f, " (generation {})", self.generation())
    }
}

/// The kind of a [`Step`], with the version it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "camelCase"))]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum StepKind {
    /// [`Step::EnsureReady`].
    EnsureReady(Version),
    /// [`Step::Apply`].
    Apply,
    /// [`Step::Drain`].
    Drain(Version),
    /// [`Step::Retire`].
    Retire(Version),
}

impl fmt::Display for StepKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EnsureReady(version) => write!(f, "ensure that the {version} version is ready"),
            Self::Apply => f.write_str("apply the routing"),
            Self::Drain(version) => write!(f, "drain the {version} version"),
            Self::Retire(version) => write!(f, "retire the {version} version"),
        }
    }
}

/// What came of a step, as the outside world says.
///
/// Reports may be late, repeated or lost. A late one changes nothing; an impossible one is an [`UnexpectedReport`].
///
/// ```
/// use release_core::{Generation, Step, Version};
///
/// let step = Step::EnsureReady { generation: Generation::new(3), version: Version::Original };
/// let expected = "could not ensure that the original version is ready: no pod (generation 3)";
/// assert_eq!(step.failed("no pod").to_string(), expected);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "camelCase"))]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Report {
    /// The version can take all traffic.
    Ready {
        /// As in the step.
        generation: Generation,
        /// As in the step.
        version: Version,
    },
    /// Every known proxy runs this generation.
    Confirmed {
        /// As in the step.
        generation: Generation,
        /// The proxies: nobody can't confirm anything.
        by: Witnesses,
    },
    /// No request bound to the version can still arrive.
    Drained {
        /// As in the step.
        generation: Generation,
        /// As in the step.
        version: Version,
        /// How that is known, and what was cut off.
        evidence: Note,
    },
    /// The version's workloads and mesh configuration are gone.
    Retired {
        /// As in the step.
        generation: Generation,
        /// As in the step.
        version: Version,
    },
    /// The step did not succeed: a proxy refused the routing, a version is not ready, a deletion failed.
    Failed {
        /// As in the step.
        generation: Generation,
        /// Which step.
        step: StepKind,
        /// Why, for the one on call.
        reason: Note,
    },
}

impl Report {
    /// The generation of the step that this answers.
    pub fn generation(&self) -> Generation {
        match self {
            Self::Ready { generation, .. }
            | Self::Confirmed { generation, .. }
            | Self::Drained { generation, .. }
            | Self::Retired { generation, .. }
            | Self::Failed { generation, .. } => *generation,
        }
    }

    /// The step that this answers.
    pub fn step(&self) -> StepKind {
        match self {
            Self::Ready { version, .. } => StepKind::EnsureReady(*version),
            Self::Confirmed { .. } => StepKind::Apply,
            Self::Drained { version, .. } => StepKind::Drain(*version),
            Self::Retired { version, .. } => StepKind::Retire(*version),
            Self::Failed { step, .. } => *step,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready { version, .. } => write!(f, "the {version} version is ready"),
            Self::Confirmed { by, .. } => write!(f, "the routing is confirmed by {by}"),
            Self::Drained { version, evidence, .. } => write!(f, "the {version} version is drained: {evidence}"),
            Self::Retired { version, .. } => write!(f, "the {version} version is retired"),
            Self::Failed { step, reason, .. } => write!(f, "could not {step}: {reason}"),
        }?;
        write!(f, " (generation {})", self.generation())
    }
}

/// The proxies that confirmed a routing, by the names they gave: at least one, sorted, without repetition.
///
/// ```
/// use release_core::Witnesses;
///
/// assert_eq!(Witnesses::new([]), None);
/// let by = Witnesses::new(["envoy-2".into(), "envoy-1".into()]);
/// assert_eq!(by.unwrap().to_string(), "envoy-1, envoy-2");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "Vec<Note>", into = "Vec<Note>")
)]
pub struct Witnesses(Arc<[Note]>);

impl Witnesses {
    /// The proxies of that names; `None` where there is none.
    pub fn new(names: impl IntoIterator<Item = Note>) -> Option<Self> {
        let mut names: Vec<Note> = names.into_iter().collect();
        names.sort();
        names.dedup();
        if names.is_empty() { None } else { Some(Self(names.into())) }
    }

    /// A single proxy.
    pub fn one(name: impl Into<Note>) -> Self {
        Self(Arc::from([name.into()]))
    }

    /// The names.
    pub fn names(&self) -> &[Note] {
        &self.0
    }
}

impl TryFrom<Vec<Note>> for Witnesses {
    type Error = &'static str;

    fn try_from(names: Vec<Note>) -> Result<Self, Self::Error> {
        Self::new(names).ok_or("a routing can't be confirmed by nobody")
    }
}

impl From<Witnesses> for Vec<Note> {
    fn from(witnesses: Witnesses) -> Self {
        witnesses.0.to_vec()
    }
}

impl fmt::Display for Witnesses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(Note::as_str).collect();
        f.write_str(&names.join(", "))
    }
}

/// A report that can't be true: whoever sent it is broken, or speaks of another task. The task is as it was.
///
/// Kept apart from [`Error`](crate::Error), because no caller of the API is to blame and it never reaches HTTP.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum UnexpectedReport {
    /// The task has no such generation yet.
    #[error(
        "a report of generation {reported}, but the task is at {current}: it is of another task, or of a task that was restored from an old copy"
    )]
    FutureGeneration {
        /// The generation in the report.
        reported: Generation,
        /// The task's generation.
        current: Generation,
    },
    /// The task can't have asked for that step at that generation.
    #[error(
        "a report about a step that was never asked for (to {step}, at generation {generation}): the mesh adapter mixes up its answers"
    )]
    NeverAsked {
        /// The step in the report.
        step: StepKind,
        /// The generation in the report.
        generation: Generation,
    },
}
