//! The baseline: one enum, one `match` for commands and one for reports, as one would write it by hand.

use super::data::{Data, Machine};
use release_core::{
    Action, Change, Command, Error, Phase, ReleaseSpec, Report, Routing, Stage, Step, UnexpectedReport,
};

pub(crate) struct Bare {
    phase: Phase,
    data: Data,
}

impl Machine for Bare {
    fn new(spec: ReleaseSpec) -> Result<Self, Error> {
        Ok(Self { phase: Phase::Deploying, data: Data::new(spec)? })
    }

    fn phase(&self) -> Phase {
        self.phase
    }

    fn next_step(&self) -> Option<Step> {
        self.data.step(self.phase)
    }

    fn command(&mut self, command: Command) -> Result<Change, Error> {
        let phase = self.phase;
        let under_way = matches!(phase, Phase::Closing(_, stage) if stage != Stage::Retiring);
        match command {
            Command::SetRouting(routing) if phase == Phase::Running && routing != self.data.wanted.routing => {
                self.data.set_routing(routing);
            }
            Command::TakeOver(version) => return self.command(Command::SetRouting(Routing::exclusive(version))),
            Command::Delete(action, mode) if self.data.permits(action, mode) => {
                match (phase, action) {
                    (Phase::Running, _) | (Phase::Deploying, Action::Cancel) => {}
                    (Phase::Closing(Action::End, _), Action::Cancel) if under_way => {}
                    _ => return self.data.refuse(phase, &command),
                }
                self.data.begin(phase == Phase::Running);
                self.phase = Phase::Closing(action, Stage::Preparing);
            }
            Command::Reopen if under_way => {
                self.phase = if self.data.reopen() { Phase::Running } else { Phase::Deploying };
            }
            command => return self.data.refuse(phase, &command),
        }
        Ok(Change::Changed)
    }

    fn report(&mut self, report: Report) -> Result<Change, UnexpectedReport> {
        if !self.data.answers(self.phase, &report) {
            return self.data.late(self.phase, &report);
        }
        if let Report::Failed { reason, .. } = report {
            return Ok(self.data.fail(reason));
        }
        self.data.succeed(self.phase.action(), report);
        self.phase = match self.phase {
            Phase::Deploying | Phase::Running => Phase::Running,
            Phase::Closing(action, Stage::Preparing) => Phase::Closing(action, Stage::Routing),
            Phase::Closing(action, Stage::Routing) => Phase::Closing(action, Stage::Draining),
            Phase::Closing(action, Stage::Draining) => Phase::Closing(action, Stage::Retiring),
            Phase::Closing(action, Stage::Retiring) | Phase::Closed(action) => Phase::Closed(action),
        };
        Ok(Change::Changed)
    }
}
