//! One task, as the table says.

use release_core::Phase::{Closed, Closing, Deploying, Running};
use release_core::Stage::{Draining, Preparing, Retiring, Routing as RoutingStage};
use release_core::{
    Action, Change, Command, Error, Generation, Mode, Note, Owners, Phase, PlannedStep, ReleaseSpec, Report, Routing,
    Step, StepKind, UnexpectedReport, Version, Witnesses,
};

/// One task: everything that ever mattered to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What the release is about.
    pub spec: ReleaseSpec,
    /// Where the task is.
    pub phase: Phase,
    /// Every routing that was ever wanted: the one in place `n` has generation `n`. Place 0 is the mesh as it was found.
    pub routings: Vec<Routing>,
    /// The place of the routing that every proxy confirmed last.
    pub confirmed: usize,
    /// When closing began: whether the grayscale version was ready, and the routing that was wanted.
    pub before_closing: Option<(bool, Routing)>,
    /// Why the step that is due failed.
    pub failure: Option<Note>,
    /// Who confirmed the survivor's routing.
    pub confirmed_by: Option<Witnesses>,
    /// How the loser was drained.
    pub drained: Option<Note>,
}

impl Record {
    /// The original version serves everything, and has to be confirmed.
    pub fn new(spec: ReleaseSpec) -> Self {
        let all_to_original = Routing::exclusive(Version::Original);
        Self {
            spec,
            phase: Deploying,
            routings: vec![all_to_original.clone(), all_to_original],
            confirmed: 0,
            before_closing: None,
            failure: None,
            confirmed_by: None,
            drained: None,
        }
    }

    /// The generation of the newest routing.
    pub fn generation(&self) -> Generation {
        number(self.routings.len() - 1)
    }

    /// The routing in that place.
    pub fn routing(&self, place: usize) -> Routing {
        self.routings.get(place).cloned().unwrap_or(Routing::exclusive(Version::Original))
    }

    /// The newest routing.
    pub fn wanted(&self) -> Routing {
        self.routing(self.routings.len() - 1)
    }

    /// The versions that the confirmed routing, or any after it, can give a request.
    pub fn reachable(&self) -> Owners {
        let since: Vec<&Routing> = self.routings.iter().skip(self.confirmed).collect();
        let reaches = |version| since.iter().any(|routing| routing.owners().contains(version));
        match (reaches(Version::Original), reaches(Version::Grayscale)) {
            (true, false) => Owners::Only(Version::Original),
            (false, true) => Owners::Only(Version::Grayscale),
            _ => Owners::Both,
        }
    }

    /// What must be done now.
    pub fn due(&self) -> Option<StepKind> {
        let all_confirmed = self.confirmed == self.routings.len() - 1;
        if self.phase == Running && all_confirmed { None } else { step_of(self.phase) }
    }

    /// What must be done now, with what it needs.
    pub fn next_step(&self) -> Option<Step> {
        let generation = self.generation();
        self.due().map(|step| match step {
            StepKind::EnsureReady(version) => Step::EnsureReady { generation, version },
            StepKind::Apply => Step::Apply { generation, routing: self.wanted() },
            StepKind::Drain(version) => Step::Drain { generation, version },
            StepKind::Retire(version) => Step::Retire { generation, version },
        })
    }

    /// The table's columns for commands.
    pub fn command(&mut self, command: Command) -> Result<Change, Error> {
        match (self.phase, command) {
            (Closed(action), _) => Err(Error::Closed { key: Box::new(self.spec.key.clone()), action }),

            (_, Command::TakeOver(version)) => self.command(Command::SetRouting(Routing::exclusive(version))),
            (Running, Command::SetRouting(routing)) if routing == self.wanted() => Ok(Change::Unchanged),
            (Running, Command::SetRouting(routing)) => {
                self.routings.push(routing);
                Ok(self.enter(Running))
            }
            (Closing(action, Retiring), Command::SetRouting(_) | Command::Reopen) => {
                Err(Error::PointOfNoReturn { action })
            }
            (phase, Command::SetRouting(_)) => Err(Error::NotRunning { phase }),

            (Deploying | Running, Command::Reopen) => Ok(Change::Unchanged),
            (Closing(..), Command::Reopen) => {
                let (ready, routing) = self.before_closing.take().unwrap_or((false, self.wanted()));
                self.routings.push(routing);
                Ok(self.enter(if ready { Running } else { Deploying }))
            }

            (Closing(current, _), Command::Delete(action, _)) if action == current => Ok(Change::Unchanged),
            (Closing(action, Retiring), Command::Delete(..)) => Err(Error::PointOfNoReturn { action }),
            (Closing(..), Command::Delete(Action::End, _)) => Err(Error::CancelUnderWay),
            (Deploying, Command::Delete(Action::End, _)) => Err(Error::EndBeforeReady),
            (phase, Command::Delete(action, Mode::Require)) if self.reachable() != Owners::Only(action.survivor()) => {
                Err(Error::TakeoverRequired { action, survivor: action.survivor(), phase })
            }
            (phase @ (Deploying | Running), Command::Delete(action, _)) => {
                self.before_closing = Some((phase == Running, self.wanted()));
                Ok(self.enter(Closing(action, Preparing)))
            }
            (Closing(Action::Cancel | Action::End, _), Command::Delete(Action::Cancel, _)) => {
                Ok(self.enter(Closing(Action::Cancel, Preparing)))
            }
        }
    }

    /// The table's columns for reports.
    pub fn report(&mut self, report: Report) -> Result<Change, UnexpectedReport> {
        let (reported, current, step) = (report.generation(), self.generation(), report.step());
        let never_asked = Err(UnexpectedReport::NeverAsked { step, generation: reported });
        if reported > current {
            return Err(UnexpectedReport::FutureGeneration { reported, current });
        }
        if reported == Generation::ZERO {
            return never_asked;
        }
        if reported < current {
            // Retiring is the last thing a task asks for, and it gets no new generation after that.
            return if matches!(step, StepKind::Retire(_)) { never_asked } else { Ok(Change::Unchanged) };
        }
        if self.due() == Some(step) {
            return Ok(self.answered(report));
        }
        let late = before(self.phase).into_iter().any(|phase| step_of(phase) == Some(step));
        if late { Ok(Change::Unchanged) } else { never_asked }
    }

    /// The answer to the step that is due.
    fn answered(&mut self, report: Report) -> Change {
        let newest = self.routings.len() - 1;
        match (self.phase, report) {
            (_, Report::Failed { reason, .. }) => {
                let known = self.failure.as_ref() == Some(&reason);
                self.failure = Some(reason);
                if known { Change::Unchanged } else { Change::Changed }
            }
            (Running, _) => {
                self.confirmed = newest;
                self.enter(Running)
            }
            (Closing(action, Preparing), _) => {
                self.routings.push(Routing::exclusive(action.survivor()));
                self.enter(Closing(action, RoutingStage))
            }
            (Closing(action, RoutingStage), Report::Confirmed { by, .. }) => {
                self.confirmed = newest;
                self.confirmed_by = Some(by);
                self.enter(Closing(action, Draining))
            }
            (Closing(action, Draining), Report::Drained { evidence, .. }) => {
                self.drained = Some(evidence);
                self.enter(Closing(action, Retiring))
            }
            (Closing(action, Retiring), _) => self.enter(Closed(action)),
            (_, _) => {
                self.routings.push(self.wanted());
                self.enter(Running)
            }
        }
    }

    /// The steps of a delete: of the four, those that are not done yet.
    pub fn plan(&self, action: Action, mode: Mode) -> Result<Vec<PlannedStep>, Error> {
        let _ = self.clone().command(Command::Delete(action, mode))?;
        let (survivor, loser) = (action.survivor(), action.loser());
        let first = match self.phase {
            Closing(current, stage) if current == action => stage,
            _ => Preparing,
        };
        let now = self.generation();
        let takeover = if first == Preparing { number(self.routings.len()) } else { now };
        let (confirmed, all) = (self.routing(self.confirmed), Routing::exclusive(survivor));
        let apply = Step::Apply { generation: takeover, routing: all.clone() };
        #[rustfmt::skip]
        let rows = [
            (Preparing,    Step::EnsureReady { generation: now, version: survivor }, Closing(action, RoutingStage), &confirmed),
            (RoutingStage, apply,                                                    Closing(action, Draining),     &all),
            (Draining,     Step::Drain { generation: takeover, version: loser },     Closing(action, Retiring),     &all),
            (Retiring,     Step::Retire { generation: takeover, version: loser },    Closed(action),                &all),
        ];
        let left = rows.into_iter().filter(|(stage, ..)| *stage >= first);
        Ok(left.map(|(_, step, phase, routing)| PlannedStep { step, phase, routing: routing.clone() }).collect())
    }

    /// A new phase has no failure yet.
    fn enter(&mut self, phase: Phase) -> Change {
        self.phase = phase;
        self.failure = None;
        Change::Changed
    }
}

/// The table's column "next step".
#[expect(clippy::match_same_arms, reason = "a table: one row for each phase")]
fn step_of(phase: Phase) -> Option<StepKind> {
    match phase {
        Deploying => Some(StepKind::EnsureReady(Version::Grayscale)),
        Running => Some(StepKind::Apply),
        Closing(action, Preparing) => Some(StepKind::EnsureReady(action.survivor())),
        Closing(_, RoutingStage) => Some(StepKind::Apply),
        Closing(action, Draining) => Some(StepKind::Drain(action.loser())),
        Closing(action, Retiring) => Some(StepKind::Retire(action.loser())),
        Closed(_) => None,
    }
}

/// The phases in which a task can have been before, at the same generation: a routing of its own begins a new one, and so
/// do the end of deploying and every reopening.
#[expect(clippy::match_same_arms, reason = "a table: one row for each phase")]
fn before(phase: Phase) -> Vec<Phase> {
    match phase {
        Deploying | Closing(_, RoutingStage) => vec![],
        Running => vec![Running],
        Closing(Action::End, Preparing) => vec![Running],
        Closing(Action::Cancel, Preparing) => {
            let ending = |stage| Closing(Action::End, stage);
            vec![Deploying, Running, ending(Preparing), ending(RoutingStage), ending(Draining)]
        }
        Closing(action, Draining) => vec![Closing(action, RoutingStage)],
        Closing(action, Retiring) => vec![Closing(action, RoutingStage), Closing(action, Draining)],
        Closed(action) => vec![Closing(action, RoutingStage), Closing(action, Draining), Closing(action, Retiring)],
    }
}

fn number(place: usize) -> Generation {
    Generation::new(place as u64)
}
