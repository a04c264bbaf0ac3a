//! What the outside world says.

use super::{Change, ReleaseTask, State};
use crate::law;
use crate::{Action, Generation, Report, Routing, StepKind, UnexpectedReport, Version};

/// What a report is to the task at this moment.
enum Standing {
    /// It answers the step that is due.
    Due,
    /// It answers an earlier step, or repeats an answer.
    Late,
}

impl ReleaseTask {
    /// Takes in what came of a step. A late or repeated report changes nothing; an impossible one is refused and leaves
    /// the task as it was.
    pub fn report(&mut self, report: Report) -> Result<Change, UnexpectedReport> {
        law::guard(self, report, |task, report| match task.standing(&report)? {
            Standing::Late => Ok(Change::Unchanged),
            Standing::Due => Ok(task.advance(report)),
        })
    }

    fn standing(&self, report: &Report) -> Result<Standing, UnexpectedReport> {
        let (reported, current) = (report.generation(), self.wanted.generation);
        let step = report.step();
        if reported > current {
            return Err(UnexpectedReport::FutureGeneration { reported, current });
        }
        if reported == current && self.due() == Some(step) {
            return Ok(Standing::Due);
        }
        let asked = if reported == current {
            self.asked_before(step)
        } else if reported == Generation::ZERO {
            false // The mesh as it was found: nothing was asked for then.
        } else {
            // Once a version is being retired the generation stays: no older one ever asked for that.
            !matches!(step, StepKind::Retire(_))
        };
        if asked { Ok(Standing::Late) } else { Err(UnexpectedReport::NeverAsked { step, generation: reported }) }
    }

    /// Whether the task can have asked for `step` before the one that is due, at this same generation.
    fn asked_before(&self, step: StepKind) -> bool {
        match &self.state {
            State::Deploying | State::Routing { .. } => false,
            State::Running | State::Preparing { action: Action::End, .. } | State::Draining { .. } => {
                step == StepKind::Apply
            }
            // From any earlier phase, and from any stage of an end.
            State::Preparing { action: Action::Cancel, .. } => matches!(
                step,
                StepKind::EnsureReady(Version::Grayscale) | StepKind::Apply | StepKind::Drain(Version::Original)
            ),
            State::Retiring { action, .. } => step == StepKind::Apply || step == StepKind::Drain(action.loser()),
            State::Closed { action, .. } => {
                step == StepKind::Apply
                    || step == StepKind::Drain(action.loser())
                    || step == StepKind::Retire(action.loser())
            }
        }
    }

    /// Moves on by the answer to the step that is due.
    fn advance(&mut self, report: Report) -> Change {
        if let Report::Failed { reason, .. } = report {
            let reason = Some(reason);
            if self.failure == reason {
                return Change::Unchanged;
            }
            self.failure = reason;
            return Change::Changed;
        }
        if matches!(report, Report::Confirmed { .. }) {
            self.confirmed = self.wanted.clone();
            self.reachable = self.confirmed.routing.owners();
        }
        self.failure = None;
        // Each arm writes its state in place, over what only fills the gap until then: a decision is so short that carrying a
        // state through a variable shows.
        match (core::mem::replace(&mut self.state, State::Running), report) {
            (State::Deploying, _) => {
                // A generation of its own: an `end` asks anew whether the grayscale version is ready, and this answer,
                // repeated, must not count for that one.
                self.wanted.generation = self.wanted.generation.next();
                self.state = State::Running;
            }
            (State::Running, _) => self.state = State::Running,
            (State::Preparing { action, resume }, _) => {
                self.want(Routing::exclusive(action.survivor()));
                self.state = State::Routing { action, resume };
            }
            (State::Routing { action, resume }, Report::Confirmed { by, .. }) => {
                self.state = State::Draining { action, resume, confirmed_by: by };
            }
            (State::Draining { action, confirmed_by, .. }, Report::Drained { evidence, .. }) => {
                self.state = State::Retiring { action, confirmed_by, drained: evidence };
            }
            (State::Retiring { action, confirmed_by, drained }, _) => {
                self.state = State::Closed { action, confirmed_by, drained };
            }
            (state @ (State::Routing { .. } | State::Draining { .. } | State::Closed { .. }), report) => {
                debug_assert!(false, "{report:?} does not answer the step that is due");
                self.state = state;
            }
        }
        Change::Changed
    }
}
