//! The chart in `rust-fsm`. Its states and inputs carry no data and it has no guards, so the action is part of the state,
//! and what a guard would check is checked before an input is consumed.

use super::data::{Data, Machine};
use release_core::{
    Action, Change, Command, Error, Phase, ReleaseSpec, Report, Routing, Stage, Step, UnexpectedReport,
};

rust_fsm::state_machine! {
    chart(Deploying)

    Deploying => { Ready => Running, Cancel => CancelPreparing },
    Running => { Confirmed => Running, Set => Running, Cancel => CancelPreparing, End => EndPreparing },
    CancelPreparing => { Ready => CancelRouting, ReopenRunning => Running, ReopenDeploying => Deploying },
    CancelRouting => { Confirmed => CancelDraining, ReopenRunning => Running, ReopenDeploying => Deploying },
    CancelDraining => { Drained => CancelRetiring, ReopenRunning => Running, ReopenDeploying => Deploying },
    CancelRetiring(Retired) => CancelClosed,
    EndPreparing => { Ready => EndRouting, Cancel => CancelPreparing, ReopenRunning => Running },
    EndRouting => { Confirmed => EndDraining, Cancel => CancelPreparing, ReopenRunning => Running },
    EndDraining => { Drained => EndRetiring, Cancel => CancelPreparing, ReopenRunning => Running },
    EndRetiring(Retired) => EndClosed,
}

pub(crate) struct RustFsm {
    chart: chart::StateMachine,
    data: Data,
}

impl Machine for RustFsm {
    fn new(spec: ReleaseSpec) -> Result<Self, Error> {
        Ok(Self { chart: chart::StateMachine::new(), data: Data::new(spec)? })
    }

    fn phase(&self) -> Phase {
        use chart::State;
        match self.chart.state() {
            State::Deploying => Phase::Deploying,
            State::Running => Phase::Running,
            State::CancelPreparing => Phase::Closing(Action::Cancel, Stage::Preparing),
            State::CancelRouting => Phase::Closing(Action::Cancel, Stage::Routing),
            State::CancelDraining => Phase::Closing(Action::Cancel, Stage::Draining),
            State::CancelRetiring => Phase::Closing(Action::Cancel, Stage::Retiring),
            State::CancelClosed => Phase::Closed(Action::Cancel),
            State::EndPreparing => Phase::Closing(Action::End, Stage::Preparing),
            State::EndRouting => Phase::Closing(Action::End, Stage::Routing),
            State::EndDraining => Phase::Closing(Action::End, Stage::Draining),
            State::EndRetiring => Phase::Closing(Action::End, Stage::Retiring),
            State::EndClosed => Phase::Closed(Action::End),
        }
    }

    fn next_step(&self) -> Option<Step> {
        self.data.step(self.phase())
    }

    fn command(&mut self, command: Command) -> Result<Change, Error> {
        let phase = self.phase();
        let command = match command {
            Command::TakeOver(version) => Command::SetRouting(Routing::exclusive(version)),
            command => command,
        };
        let (input, permitted) = match &command {
            Command::SetRouting(routing) => (chart::Input::Set, *routing != self.data.wanted.routing),
            Command::Delete(action @ Action::Cancel, mode) => (chart::Input::Cancel, self.data.permits(*action, *mode)),
            Command::Delete(action @ Action::End, mode) => (chart::Input::End, self.data.permits(*action, *mode)),
            Command::Reopen if matches!(self.data.resume, Some((false, _))) => (chart::Input::ReopenDeploying, true),
            Command::Reopen | Command::TakeOver(_) => (chart::Input::ReopenRunning, true),
        };
        if !permitted || self.chart.consume(&input).is_err() {
            return self.data.refuse(phase, &command);
        }
        match command {
            Command::SetRouting(routing) => self.data.set_routing(routing),
            Command::Delete(..) => self.data.begin(phase == Phase::Running),
            Command::Reopen | Command::TakeOver(_) => {
                self.data.reopen();
            }
        }
        Ok(Change::Changed)
    }

    fn report(&mut self, report: Report) -> Result<Change, UnexpectedReport> {
        let phase = self.phase();
        if !self.data.answers(phase, &report) {
            return self.data.late(phase, &report);
        }
        let input = match report {
            Report::Failed { reason, .. } => return Ok(self.data.fail(reason)),
            Report::Ready { .. } => chart::Input::Ready,
            Report::Confirmed { .. } => chart::Input::Confirmed,
            Report::Drained { .. } => chart::Input::Drained,
            Report::Retired { .. } => chart::Input::Retired,
        };
        if self.chart.consume(&input).is_err() {
            return self.data.late(phase, &report);
        }
        self.data.succeed(phase.action(), report);
        Ok(Change::Changed)
    }
}
