//! Shows that a machine does the same as `release-core`: every sequence of five inputs gives the same answers.

use super::data::Machine;
use release_core::{
    Action, Change, Command, Error, Generation, Mode, Percent, Phase, ReleaseSpec, ReleaseTask, Report, Routing, Step,
    UnexpectedReport, Version, Witnesses,
};

const DEPTH: usize = 5;
/// See `Run::take`: one of them takes three steps at once, so that five inputs reach every phase and go on from there.
const INPUTS: usize = 13;

impl Machine for ReleaseTask {
    fn new(spec: ReleaseSpec) -> Result<Self, Error> {
        Self::new(spec)
    }

    fn phase(&self) -> Phase {
        self.phase()
    }

    fn next_step(&self) -> Option<Step> {
        self.next_step()
    }

    fn command(&mut self, command: Command) -> Result<Change, Error> {
        self.command(command)
    }

    fn report(&mut self, report: Report) -> Result<Change, UnexpectedReport> {
        self.report(report)
    }
}

/// Panics where `M` and `release-core` differ.
pub(crate) fn check<M: Machine>(spec: &ReleaseSpec) {
    for sequence in 0..INPUTS.pow(DEPTH.try_into().unwrap()) {
        let mut core = Run::<ReleaseTask>::new(spec);
        let mut other = Run::<M>::new(spec);
        for place in 0..DEPTH {
            let input = sequence / INPUTS.pow(place.try_into().unwrap()) % INPUTS;
            assert_eq!(core.take(input), other.take(input), "input {input} of sequence {sequence}");
            assert_eq!(core.machine.phase(), other.machine.phase(), "input {input} of sequence {sequence}");
            assert_eq!(core.machine.next_step(), other.machine.next_step(), "input {input} of sequence {sequence}");
        }
    }
}

#[derive(Debug, PartialEq)]
enum Answer {
    Nothing,
    Command(Result<Change, Error>),
    Report(Result<Change, UnexpectedReport>),
}

/// A machine and the last report that it was given.
struct Run<M> {
    machine: M,
    last: Option<Report>,
}

impl<M: Machine> Run<M> {
    fn new(spec: &ReleaseSpec) -> Self {
        Self { machine: M::new(spec.clone()).unwrap(), last: None }
    }

    fn take(&mut self, input: usize) -> Answer {
        let command = match input {
            0 => return self.succeed(1),
            1 => return self.succeed(3),
            2 => return self.report(|step| step.failed("no")),
            3 => return self.last.clone().map_or(Answer::Nothing, |last| Answer::Report(self.machine.report(last))),
            4 => {
                let (generation, version) = (Generation::new(1), Version::Grayscale);
                return Answer::Report(self.machine.report(Report::Retired { generation, version }));
            }
            5 => {
                let (generation, by) = (Generation::new(9), Witnesses::one("envoy-1"));
                return Answer::Report(self.machine.report(Report::Confirmed { generation, by }));
            }
            6 => Command::SetRouting(Routing::weighted(Percent::new(20).unwrap())),
            7 => Command::TakeOver(Version::Grayscale),
            8 => Command::CANCEL,
            9 => Command::END,
            10 => Command::Delete(Action::Cancel, Mode::Require),
            11 => Command::Delete(Action::End, Mode::Require),
            _ => Command::Reopen,
        };
        Answer::Command(self.machine.command(command))
    }

    /// Up to so many steps succeed.
    fn succeed(&mut self, times: usize) -> Answer {
        (0..times).map(|_| self.report(|step| step.succeeded(Witnesses::one("envoy-1"), "idle"))).last().unwrap()
    }

    fn report(&mut self, answer: impl Fn(&Step) -> Report) -> Answer {
        let Some(step) = self.machine.next_step() else { return Answer::Nothing };
        let report = answer(&step);
        self.last = Some(report.clone());
        Answer::Report(self.machine.report(report))
    }
}
