//! What every opponent keeps and does besides its chart: routings, generations, evidence, and the words of a refusal.
//!
//! Shared, so that the charts differ in nothing but how they decide the next phase.

use release_core::{
    Action, Change, Command, Error, Generation, Mode, Note, NumberedRouting, Owners, Phase, ReleaseSpec, Report,
    Routing, Stage, Step, StepKind, UnexpectedReport, Version, Witnesses,
};

/// What all machines have in common with a [`ReleaseTask`](release_core::ReleaseTask).
pub(crate) trait Machine: Sized {
    fn new(spec: ReleaseSpec) -> Result<Self, Error>;
    fn phase(&self) -> Phase;
    fn next_step(&self) -> Option<Step>;
    fn command(&mut self, command: Command) -> Result<Change, Error>;
    fn report(&mut self, report: Report) -> Result<Change, UnexpectedReport>;
}

#[derive(Clone)]
pub(crate) struct Data {
    pub(crate) spec: ReleaseSpec,
    pub(crate) wanted: NumberedRouting,
    pub(crate) confirmed: NumberedRouting,
    pub(crate) reachable: Owners,
    /// Whether the grayscale version had been ready, and the routing that was wanted last.
    pub(crate) resume: Option<(bool, Routing)>,
    pub(crate) confirmed_by: Option<Witnesses>,
    pub(crate) drained: Option<Note>,
    pub(crate) failure: Option<Note>,
}

impl Data {
    pub(crate) fn new(spec: ReleaseSpec) -> Result<Self, Error> {
        if spec.original == spec.grayscale {
            return Err(Error::SameVersion(spec.original));
        }
        let as_found = Routing::exclusive(Version::Original);
        Ok(Self {
            spec,
            wanted: NumberedRouting { generation: Generation::new(1), routing: as_found.clone() },
            confirmed: NumberedRouting { generation: Generation::ZERO, routing: as_found },
            reachable: Owners::Only(Version::Original),
            resume: None,
            confirmed_by: None,
            drained: None,
            failure: None,
        })
    }

    pub(crate) fn due(&self, phase: Phase) -> Option<StepKind> {
        match phase {
            Phase::Deploying => Some(StepKind::EnsureReady(Version::Grayscale)),
            Phase::Running if self.confirmed.generation == self.wanted.generation => None,
            Phase::Running | Phase::Closing(_, Stage::Routing) => Some(StepKind::Apply),
            Phase::Closing(action, Stage::Preparing) => Some(StepKind::EnsureReady(action.survivor())),
            Phase::Closing(action, Stage::Draining) => Some(StepKind::Drain(action.loser())),
            Phase::Closing(action, Stage::Retiring) => Some(StepKind::Retire(action.loser())),
            Phase::Closed(_) => None,
        }
    }

    pub(crate) fn step(&self, phase: Phase) -> Option<Step> {
        let generation = self.wanted.generation;
        Some(match self.due(phase)? {
            StepKind::EnsureReady(version) => Step::EnsureReady { generation, version },
            StepKind::Apply => Step::Apply { generation, routing: self.wanted.routing.clone() },
            StepKind::Drain(version) => Step::Drain { generation, version },
            StepKind::Retire(version) => Step::Retire { generation, version },
        })
    }

    /// Whether a delete in that mode may begin.
    pub(crate) fn permits(&self, action: Action, mode: Mode) -> bool {
        mode == Mode::Perform || self.reachable == Owners::Only(action.survivor())
    }

    pub(crate) fn set_routing(&mut self, routing: Routing) {
        let generation = Generation::new(self.wanted.generation.get().saturating_add(1));
        self.reachable = self.reachable.and(routing.owners());
        self.wanted = NumberedRouting { generation, routing };
        self.failure = None;
    }

    /// A delete begins; a cancel over an end goes on to resume what the end would.
    pub(crate) fn begin(&mut self, deployed: bool) {
        if self.resume.is_none() {
            self.resume = Some((deployed, self.wanted.routing.clone()));
        }
        self.confirmed_by = None;
        self.failure = None;
    }

    /// The takeover is given up; returns whether the grayscale version had been ready.
    pub(crate) fn reopen(&mut self) -> bool {
        let Some((deployed, routing)) = self.resume.take() else { return false };
        self.confirmed_by = None;
        self.set_routing(routing);
        deployed
    }

    /// What the step that is due leaves behind once it has succeeded.
    pub(crate) fn succeed(&mut self, closing: Option<Action>, report: Report) {
        self.failure = None;
        match report {
            Report::Ready { .. } => {
                let all = |action: Action| Routing::exclusive(action.survivor());
                self.set_routing(closing.map_or_else(|| self.wanted.routing.clone(), all));
            }
            Report::Confirmed { by, .. } => {
                self.confirmed = self.wanted.clone();
                self.reachable = self.confirmed.routing.owners();
                if closing.is_some() {
                    self.confirmed_by = Some(by);
                }
            }
            Report::Drained { evidence, .. } => {
                self.drained = Some(evidence);
                self.resume = None;
            }
            Report::Retired { .. } | Report::Failed { .. } => {}
        }
    }

    pub(crate) fn fail(&mut self, reason: Note) -> Change {
        let reason = Some(reason);
        if self.failure == reason {
            return Change::Unchanged;
        }
        self.failure = reason;
        Change::Changed
    }

    /// Why a command leads nowhere.
    pub(crate) fn refuse(&self, phase: Phase, command: &Command) -> Result<Change, Error> {
        match (phase, command) {
            (Phase::Closed(action), _) => Err(Error::Closed { key: Box::new(self.spec.key.clone()), action }),
            (Phase::Running, Command::SetRouting(_) | Command::TakeOver(_) | Command::Reopen)
            | (Phase::Deploying, Command::Reopen) => Ok(Change::Unchanged),
            (Phase::Closing(action, Stage::Retiring), Command::SetRouting(_) | Command::TakeOver(_)) => {
                Err(Error::PointOfNoReturn { action })
            }
            (_, Command::SetRouting(_) | Command::TakeOver(_)) => Err(Error::NotRunning { phase }),
            (Phase::Closing(current, _), Command::Delete(action, _)) if current == *action => Ok(Change::Unchanged),
            (Phase::Closing(action, Stage::Retiring), _) => Err(Error::PointOfNoReturn { action }),
            (Phase::Closing(Action::Cancel, _), Command::Delete(..)) => Err(Error::CancelUnderWay),
            (Phase::Deploying, Command::Delete(Action::End, _)) => Err(Error::EndBeforeReady),
            (_, Command::Delete(action, _)) => {
                Err(Error::TakeoverRequired { action: *action, survivor: action.survivor(), phase })
            }
            (Phase::Closing(..), Command::Reopen) => Ok(Change::Unchanged),
        }
    }

    pub(crate) fn answers(&self, phase: Phase, report: &Report) -> bool {
        report.generation() == self.wanted.generation && self.due(phase) == Some(report.step())
    }

    /// What is to be said of a report that does not answer the step that is due.
    pub(crate) fn late(&self, phase: Phase, report: &Report) -> Result<Change, UnexpectedReport> {
        let (reported, current, step) = (report.generation(), self.wanted.generation, report.step());
        if reported > current {
            return Err(UnexpectedReport::FutureGeneration { reported, current });
        }
        let asked = if reported < current {
            reported > Generation::ZERO && !matches!(step, StepKind::Retire(_))
        } else {
            asked_before(phase, step)
        };
        if asked { Ok(Change::Unchanged) } else { Err(UnexpectedReport::NeverAsked { step, generation: reported }) }
    }
}

fn asked_before(phase: Phase, step: StepKind) -> bool {
    match phase {
        Phase::Deploying | Phase::Closing(_, Stage::Routing) => false,
        Phase::Running | Phase::Closing(Action::End, Stage::Preparing) | Phase::Closing(_, Stage::Draining) => {
            step == StepKind::Apply
        }
        Phase::Closing(Action::Cancel, Stage::Preparing) => {
            let grayscale_ready = StepKind::EnsureReady(Version::Grayscale);
            step == grayscale_ready || step == StepKind::Apply || step == StepKind::Drain(Version::Original)
        }
        Phase::Closing(action, Stage::Retiring) => step == StepKind::Apply || step == StepKind::Drain(action.loser()),
        Phase::Closed(action) => {
            step == StepKind::Apply
                || step == StepKind::Drain(action.loser())
                || step == StepKind::Retire(action.loser())
        }
    }
}
