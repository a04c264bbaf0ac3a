//! The chart in `smlang`: guards and actions work on the context, events carry the report, the action is part of the state.

use super::data::{Data, Machine};
use release_core::{Action, Change, Command, Mode, Phase, ReleaseSpec, Report, Routing, Stage, Step, UnexpectedReport};

smlang::statemachine! {
    transitions: {
        *Deploying + Ready(Report) / succeed = Running,
        Running + Confirmed(Report) / succeed = Running,
        Running + Set(Routing) [is_new] / set = Running,
        Running + End(Mode) [permits_end] / begin = EndPreparing,
        Running + Cancel(Mode) [permits_cancel] / begin = CancelPreparing,
        Deploying + Cancel(Mode) [permits_cancel] / begin_early = CancelPreparing,
        EndPreparing | EndRouting | EndDraining + Cancel(Mode) [permits_cancel] / begin = CancelPreparing,
        CancelPreparing + Ready(Report) / succeed_cancel = CancelRouting,
        CancelRouting + Confirmed(Report) / succeed_cancel = CancelDraining,
        CancelDraining + Drained(Report) / succeed_cancel = CancelRetiring,
        CancelRetiring + Retired(Report) / succeed_cancel = CancelClosed,
        EndPreparing + Ready(Report) / succeed_end = EndRouting,
        EndRouting + Confirmed(Report) / succeed_end = EndDraining,
        EndDraining + Drained(Report) / succeed_end = EndRetiring,
        EndRetiring + Retired(Report) / succeed_end = EndClosed,
        CancelPreparing | CancelRouting | CancelDraining | EndPreparing | EndRouting | EndDraining
            + Reopen [deployed] / reopen = Running,
        CancelPreparing | CancelRouting | CancelDraining | EndPreparing | EndRouting | EndDraining
            + Reopen [!deployed] / reopen = Deploying,
    },
}

impl StateMachineContext for Data {
    fn is_new(&self, routing: &Routing) -> Result<bool, ()> {
        Ok(*routing != self.wanted.routing)
    }

    fn permits_cancel(&self, mode: &Mode) -> Result<bool, ()> {
        Ok(self.permits(Action::Cancel, *mode))
    }

    fn permits_end(&self, mode: &Mode) -> Result<bool, ()> {
        Ok(self.permits(Action::End, *mode))
    }

    fn deployed(&self) -> Result<bool, ()> {
        Ok(matches!(self.resume, Some((true, _))))
    }

    fn set(&mut self, routing: Routing) -> Result<(), ()> {
        self.set_routing(routing);
        Ok(())
    }

    fn begin(&mut self, _: Mode) -> Result<(), ()> {
        Data::begin(self, true);
        Ok(())
    }

    fn begin_early(&mut self, _: Mode) -> Result<(), ()> {
        Data::begin(self, false);
        Ok(())
    }

    fn reopen(&mut self) -> Result<(), ()> {
        Data::reopen(self);
        Ok(())
    }

    fn succeed(&mut self, report: Report) -> Result<(), ()> {
        Data::succeed(self, None, report);
        Ok(())
    }

    fn succeed_cancel(&mut self, report: Report) -> Result<(), ()> {
        Data::succeed(self, Some(Action::Cancel), report);
        Ok(())
    }

    fn succeed_end(&mut self, report: Report) -> Result<(), ()> {
        Data::succeed(self, Some(Action::End), report);
        Ok(())
    }
}

pub(crate) struct Smlang(StateMachine<Data>);

impl Machine for Smlang {
    fn new(spec: ReleaseSpec) -> Result<Self, release_core::Error> {
        Ok(Self(StateMachine::new(Data::new(spec)?)))
    }

    fn phase(&self) -> Phase {
        match self.0.state() {
            States::Deploying => Phase::Deploying,
            States::Running => Phase::Running,
            States::CancelPreparing => Phase::Closing(Action::Cancel, Stage::Preparing),
            States::CancelRouting => Phase::Closing(Action::Cancel, Stage::Routing),
            States::CancelDraining => Phase::Closing(Action::Cancel, Stage::Draining),
            States::CancelRetiring => Phase::Closing(Action::Cancel, Stage::Retiring),
            States::CancelClosed => Phase::Closed(Action::Cancel),
            States::EndPreparing => Phase::Closing(Action::End, Stage::Preparing),
            States::EndRouting => Phase::Closing(Action::End, Stage::Routing),
            States::EndDraining => Phase::Closing(Action::End, Stage::Draining),
            States::EndRetiring => Phase::Closing(Action::End, Stage::Retiring),
            States::EndClosed => Phase::Closed(Action::End),
        }
    }

    fn next_step(&self) -> Option<Step> {
        self.0.context().step(self.phase())
    }

    fn command(&mut self, command: Command) -> Result<Change, release_core::Error> {
        let phase = self.phase();
        let event = match &command {
            Command::SetRouting(routing) => Events::Set(routing.clone()),
            Command::TakeOver(version) => Events::Set(Routing::exclusive(*version)),
            Command::Delete(Action::Cancel, mode) => Events::Cancel(*mode),
            Command::Delete(Action::End, mode) => Events::End(*mode),
            Command::Reopen => Events::Reopen,
        };
        match self.0.process_event(event) {
            Ok(_) => Ok(Change::Changed),
            Err(_) => self.0.context().refuse(phase, &command),
        }
    }

    fn report(&mut self, report: Report) -> Result<Change, UnexpectedReport> {
        let phase = self.phase();
        if !self.0.context().answers(phase, &report) {
            return self.0.context().late(phase, &report);
        }
        let event = match report {
            Report::Failed { reason, .. } => return Ok(self.0.context_mut().fail(reason)),
            Report::Ready { .. } => Events::Ready(report),
            Report::Confirmed { .. } => Events::Confirmed(report),
            Report::Drained { .. } => Events::Drained(report),
            Report::Retired { .. } => Events::Retired(report),
        };
        // The report answers the step that is due, so there is a transition.
        Ok(self.0.process_event(event).map_or(Change::Unchanged, |_| Change::Changed))
    }
}
