//! The chart in `statig`: the action is state-local, what closing states have in common is a superstate, the answer goes
//! through the context. Handlers see a shared event, so what they keep of it is cloned (a count of an `Arc`).

use super::data::{Data, Machine};
use release_core::law::Input;
use release_core::{
    Action, Change, Command, Error, Phase, ReleaseSpec, Report, Routing, Stage, Step, UnexpectedReport,
};
use statig::prelude::*;

/// What came of an event: nothing where the chart leaves it to be refused.
type Answer = Option<Change>;

struct Chart(Data);

#[expect(clippy::trivially_copy_pass_by_ref, reason = "statig hands state-local data out by reference")]
#[state_machine(initial = "State::deploying()")]
impl Chart {
    #[state]
    fn deploying(&mut self, context: &mut Answer, event: &Input) -> Outcome<State> {
        match event {
            Input::Report(report) => self.answer(None, report, context, State::running()),
            Input::Command(Command::Delete(Action::Cancel, mode)) if self.0.permits(Action::Cancel, *mode) => {
                self.begin(Action::Cancel, false, context)
            }
            Input::Command(_) => Handled,
        }
    }

    #[state]
    fn running(&mut self, context: &mut Answer, event: &Input) -> Outcome<State> {
        match event {
            Input::Report(report) => self.answer(None, report, context, State::running()),
            Input::Command(Command::SetRouting(routing)) => self.set(routing.clone(), context),
            Input::Command(Command::TakeOver(version)) => self.set(Routing::exclusive(*version), context),
            Input::Command(Command::Delete(action, mode)) if self.0.permits(*action, *mode) => {
                self.begin(*action, true, context)
            }
            Input::Command(_) => Handled,
        }
    }

    #[state(superstate = "closing")]
    fn preparing(&mut self, action: &Action, context: &mut Answer, event: &Input) -> Outcome<State> {
        match event {
            Input::Report(report) => self.answer(Some(*action), report, context, State::routing(*action)),
            Input::Command(_) => Super,
        }
    }

    #[state(superstate = "closing")]
    fn routing(&mut self, action: &Action, context: &mut Answer, event: &Input) -> Outcome<State> {
        match event {
            Input::Report(report) => self.answer(Some(*action), report, context, State::draining(*action)),
            Input::Command(_) => Super,
        }
    }

    #[state(superstate = "closing")]
    fn draining(&mut self, action: &Action, context: &mut Answer, event: &Input) -> Outcome<State> {
        match event {
            Input::Report(report) => self.answer(Some(*action), report, context, State::retiring(*action)),
            Input::Command(_) => Super,
        }
    }

    #[state]
    fn retiring(&mut self, action: &Action, context: &mut Answer, event: &Input) -> Outcome<State> {
        match event {
            Input::Report(report) => self.answer(Some(*action), report, context, State::closed(*action)),
            Input::Command(_) => Handled,
        }
    }

    #[state]
    fn closed(action: &Action) -> Outcome<State> {
        let _ = action;
        Handled
    }

    #[superstate]
    fn closing(&mut self, action: &Action, context: &mut Answer, event: &Input) -> Outcome<State> {
        match event {
            Input::Command(Command::Reopen) => {
                *context = Some(Change::Changed);
                Transition(if self.0.reopen() { State::running() } else { State::deploying() })
            }
            Input::Command(Command::Delete(Action::Cancel, mode))
                if *action == Action::End && self.0.permits(Action::Cancel, *mode) =>
            {
                self.begin(Action::Cancel, true, context)
            }
            _ => Handled,
        }
    }
}

impl Chart {
    fn set(&mut self, routing: Routing, context: &mut Answer) -> Outcome<State> {
        if routing == self.0.wanted.routing {
            return Handled;
        }
        *context = Some(Change::Changed);
        self.0.set_routing(routing);
        Transition(State::running())
    }

    fn begin(&mut self, action: Action, deployed: bool, context: &mut Answer) -> Outcome<State> {
        *context = Some(Change::Changed);
        self.0.begin(deployed);
        Transition(State::preparing(action))
    }

    /// The report answers the step that is due.
    fn answer(
        &mut self,
        closing: Option<Action>,
        report: &Report,
        context: &mut Answer,
        next: State,
    ) -> Outcome<State> {
        if let Report::Failed { reason, .. } = report {
            *context = Some(self.0.fail(reason.clone()));
            return Handled;
        }
        *context = Some(Change::Changed);
        self.0.succeed(closing, report.clone());
        Transition(next)
    }
}

pub(crate) struct Statig(InitializedStateMachine<Chart>);

impl Machine for Statig {
    fn new(spec: ReleaseSpec) -> Result<Self, Error> {
        let machine = Chart(Data::new(spec)?).uninitialized_state_machine();
        Ok(Self(machine.init_with_context(&mut None)))
    }

    fn phase(&self) -> Phase {
        match self.0.state() {
            State::Deploying {} => Phase::Deploying,
            State::Running {} => Phase::Running,
            State::Preparing { action } => Phase::Closing(*action, Stage::Preparing),
            State::Routing { action } => Phase::Closing(*action, Stage::Routing),
            State::Draining { action } => Phase::Closing(*action, Stage::Draining),
            State::Retiring { action } => Phase::Closing(*action, Stage::Retiring),
            State::Closed { action } => Phase::Closed(*action),
        }
    }

    fn next_step(&self) -> Option<Step> {
        self.0.inner().0.step(self.phase())
    }

    fn command(&mut self, command: Command) -> Result<Change, Error> {
        let (phase, event, mut answer) = (self.phase(), Input::Command(command), None);
        self.0.handle_with_context(&event, &mut answer);
        match (answer, event) {
            (None, Input::Command(command)) => self.0.inner().0.refuse(phase, &command),
            (answer, _) => Ok(answer.unwrap_or(Change::Unchanged)),
        }
    }

    fn report(&mut self, report: Report) -> Result<Change, UnexpectedReport> {
        let phase = self.phase();
        if !self.0.inner().0.answers(phase, &report) {
            return self.0.inner().0.late(phase, &report);
        }
        let mut answer = None;
        self.0.handle_with_context(&Input::Report(report), &mut answer);
        Ok(answer.unwrap_or(Change::Unchanged))
    }
}
