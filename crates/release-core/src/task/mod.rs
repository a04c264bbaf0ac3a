//! One release task: the state machine.

mod command;
mod plan;
mod report;
mod state;
mod stored;

pub use command::{Change, Command};
pub use plan::{Plan, PlannedStep};
pub use stored::{StoredError, StoredTask};

pub(crate) use state::State;

use crate::{
    Error, Generation, Note, NumberedRouting, Owners, Phase, ReleaseKey, Routing, Service, Step, StepKind, Version,
    VersionLabel, Witnesses,
};

/// What a release is about: fixed when the task is created.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct ReleaseSpec {
    /// The task's key.
    pub key: ReleaseKey,
    /// The service under release, in the key's namespace.
    pub service: Service,
    /// The label of the version that serves now.
    pub original: VersionLabel,
    /// The label of the new version.
    pub grayscale: VersionLabel,
}

impl ReleaseSpec {
    /// The label of one of the two versions.
    pub fn label(&self, version: Version) -> &VersionLabel {
        match version {
            Version::Original => &self.original,
            Version::Grayscale => &self.grayscale,
        }
    }
}

/// A release task.
///
/// **Calling contract.** [`command`](Self::command) takes what the user wants, [`next_step`](Self::next_step) says what
/// must be done for it now, [`report`](Self::report) takes what came of it; everything else only reads. Call them in any
/// order: a step is a function of the state, so nothing is lost when the caller crashes between two calls, as long as the
/// task was stored before its step was performed. An `Err` leaves the task exactly as it was.
///
/// ```
/// use release_core::{Command, ReleaseKey, ReleaseSpec, ReleaseTask, Witnesses};
///
/// let mut task = ReleaseTask::new(ReleaseSpec {
///     key: ReleaseKey::parse("mesh-1", "shop", "3f2a")?,
///     service: "cart".parse()?,
///     original: "v1".parse()?,
///     grayscale: "v2".parse()?,
/// })?;
/// task.command(Command::CANCEL)?;
/// while let Some(step) = task.next_step() {
///     // Store the task, perform the step, and report what really came of it.
///     task.report(step.succeeded(Witnesses::one("envoy-1"), "idle for 15 s"))?;
/// }
/// assert!(task.phase().is_closed());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Serialised, it is a versioned document of its own ([`StoredTask`]); decoding checks the laws and refuses a task that
/// breaks one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "StoredTask", into = "StoredTask")
)]
pub struct ReleaseTask {
    spec: ReleaseSpec,
    state: State,
    /// The newest routing that the mesh may have been given.
    wanted: NumberedRouting,
    /// The newest routing that every proxy confirmed.
    confirmed: NumberedRouting,
    /// Where requests can go under the confirmed routing and any that was given to the mesh after it.
    reachable: Owners,
    /// Why the step that is due did not succeed the last time.
    failure: Option<Note>,
}

/// Why the step that is due did not succeed the last time it was tried.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Failure {
    /// The step.
    pub step: StepKind,
    /// The reason that was reported.
    pub reason: Note,
}

/// Why it is safe to retire the loser: kept in the closed task.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Proof {
    /// The generation of the survivor's exclusive routing.
    pub generation: Generation,
    /// The proxies that confirmed it, as they were reported: all that were known.
    pub confirmed_by: Witnesses,
    /// How it was known that no request bound to the loser could still arrive.
    pub drained: Note,
}

impl ReleaseTask {
    /// A new task, deploying. The original version serves everything; that it does so in every proxy is not confirmed
    /// yet.
    ///
    /// Two versions with the same label are refused.
    pub fn new(spec: ReleaseSpec) -> Result<Self, Error> {
        if spec.original == spec.grayscale {
            return Err(Error::SameVersion(spec.original));
        }
        let as_found = Routing::exclusive(Version::Original);
        Ok(Self {
            spec,
            state: State::Deploying,
            wanted: NumberedRouting { generation: Generation::ZERO.next(), routing: as_found.clone() },
            reachable: as_found.owners(),
            confirmed: NumberedRouting { generation: Generation::ZERO, routing: as_found },
            failure: None,
        })
    }

    /// The task's key.
    pub fn key(&self) -> &ReleaseKey {
        &self.spec.key
    }

    /// What the release is about.
    pub fn spec(&self) -> &ReleaseSpec {
        &self.spec
    }

    /// Where the task is.
    pub fn phase(&self) -> Phase {
        self.state.phase()
    }

    /// The newest routing that the mesh was, or is about to be, given.
    pub fn wanted(&self) -> &NumberedRouting {
        &self.wanted
    }

    /// The newest routing that every proxy confirmed. Generation 0 is the mesh as the task found it.
    pub fn confirmed(&self) -> &NumberedRouting {
        &self.confirmed
    }

    /// The versions that a request can reach: under the confirmed routing and under any that the mesh may have been given
    /// after it.
    pub fn reachable(&self) -> Owners {
        self.reachable
    }

    /// Why the step that is due did not succeed the last time; gone as soon as the task moves on.
    pub fn failure(&self) -> Option<Failure> {
        Some(Failure { step: self.due()?, reason: self.failure.clone()? })
    }

    /// Why it is safe to retire the loser: once the task is retiring it, and for ever after.
    pub fn proof(&self) -> Option<Proof> {
        let (confirmed_by, drained) = self.state.proof()?;
        Some(Proof {
            generation: self.confirmed.generation,
            confirmed_by: confirmed_by.clone(),
            drained: drained.clone(),
        })
    }

    /// What must be done now, or nothing. The same state always gives the same step.
    pub fn next_step(&self) -> Option<Step> {
        let generation = self.wanted.generation;
        Some(match self.due()? {
            StepKind::EnsureReady(version) => Step::EnsureReady { generation, version },
            StepKind::Apply => Step::Apply { generation, routing: self.wanted.routing.clone() },
            StepKind::Drain(version) => Step::Drain { generation, version },
            StepKind::Retire(version) => Step::Retire { generation, version },
        })
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// The kind of the step that must be done now.
    fn due(&self) -> Option<StepKind> {
        match &self.state {
            State::Deploying => Some(StepKind::EnsureReady(Version::Grayscale)),
            State::Running if self.confirmed.generation == self.wanted.generation => None,
            State::Running | State::Routing { .. } => Some(StepKind::Apply),
            State::Preparing { action, .. } => Some(StepKind::EnsureReady(action.survivor())),
            State::Draining { action, .. } => Some(StepKind::Drain(action.loser())),
            State::Retiring { action, .. } => Some(StepKind::Retire(action.loser())),
            State::Closed { .. } => None,
        }
    }

    /// Gives the mesh a new routing to apply.
    fn want(&mut self, routing: Routing) {
        self.reachable = self.reachable.and(routing.owners());
        self.wanted = NumberedRouting { generation: self.wanted.generation.next(), routing };
    }

    /// Moves to another state: the failure of the last step is no news any more.
    fn go(&mut self, state: State) {
        self.state = state;
        self.failure = None;
    }
}
