//! What is worth knowing to have happened.

use core::fmt;
use std::collections::BTreeMap;

use release_core::law::Outcome;
use release_core::{Action, Change, Command, Error, Phase, Report, Stage, Step, StepKind, Version};

use crate::mesh::{Event, Happened, Motion, World};

/// Something that an exploration must have come by, or else it has shown little.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Situation {
    /// A task reached that phase.
    Reached(Phase),
    /// Everything crashed in that phase.
    Crashed(Phase),
    /// A task that was being finished was reopened from that phase.
    Reopened(Phase),
    /// A cancel overtook an end in that stage.
    CancelOverEnd(Stage),
    /// A delete in the mode `require` was refused, and nothing else was against it.
    RequireRefused(Action),
    /// A delete in the mode `require` was accepted.
    RequireAccepted(Action),
    /// A command was refused for another reason.
    Refused(&'static str),
    /// A proxy refused a routing, and the task heard of it.
    PushRefused,
    /// A step failed, and the task heard of it.
    Failed(StepKind),
    /// A report came again, or after the task had moved on to another step.
    Repeated,
    /// A report came after the task had moved on to a newer routing.
    Late,
    /// A replica that was deposed asked for an older routing than the mesh has, which refused.
    Fenced,
    /// A replica that was deposed had a routing applied that was not wanted any more.
    AppliedLate,
    /// The task was waiting for a proxy that was cut off.
    WaitedForTheCutOff,
    /// A version was not ready any more when a takeover began that it is to survive, and was made ready again.
    Regained(Version),
    /// The loser was retired, and a proxy was cut off meanwhile.
    RetiredWhileCutOff,
}

impl Situation {
    /// All of them, with each phase, stage and step that they go with.
    pub fn all() -> Vec<Self> {
        let stages = [Stage::Preparing, Stage::Routing, Stage::Draining, Stage::Retiring];
        let mut all = vec![
            Self::PushRefused,
            Self::Repeated,
            Self::Late,
            Self::Fenced,
            Self::AppliedLate,
            Self::WaitedForTheCutOff,
            Self::RetiredWhileCutOff,
            Self::Regained(Version::Original),
            Self::Regained(Version::Grayscale),
            Self::Failed(StepKind::EnsureReady(Version::Original)),
            Self::Failed(StepKind::EnsureReady(Version::Grayscale)),
        ];
        let mut phases = vec![Phase::Deploying, Phase::Running];
        for action in [Action::Cancel, Action::End] {
            let closing = stages.map(|stage| Phase::Closing(action, stage));
            phases.extend(closing.into_iter().chain([Phase::Closed(action)]));
            all.extend(closing.into_iter().take(3).map(Self::Reopened));
            all.extend([Self::RequireRefused(action), Self::RequireAccepted(action)]);
            all.extend([StepKind::Drain(action.loser()), StepKind::Retire(action.loser())].map(Self::Failed));
        }
        all.extend(stages.into_iter().take(3).map(Self::CancelOverEnd));
        all.extend(phases.iter().copied().flat_map(|phase| [Self::Reached(phase), Self::Crashed(phase)]));
        let errors = [CLOSED, NOT_RUNNING, END_BEFORE_READY, CANCEL_UNDER_WAY, POINT_OF_NO_RETURN];
        all.extend(errors.into_iter().map(Self::Refused));
        all.sort();
        all
    }
}

const CLOSED: &str = "the task is closed";
const NOT_RUNNING: &str = "the routing was to change, but the task is not running";
const END_BEFORE_READY: &str = "an end before the grayscale version was ready";
const CANCEL_UNDER_WAY: &str = "an end while a cancel was under way";
const POINT_OF_NO_RETURN: &str = "past the point of no return";

/// Counts the situations that `event` made out of `before`.
pub(super) fn count(
    counts: &mut BTreeMap<Situation, u64>,
    before: &World,
    event: &Event,
    happened: &Happened,
    after: &World,
) {
    let mut saw = |situation| *counts.entry(situation).or_default() += 1;
    let phase = before.task().phase();
    match (event, happened.outcome.as_deref()) {
        (Event::Command(command), Some(outcome)) => command_seen(command, phase, outcome).into_iter().for_each(saw),
        (Event::Deliver(_), Some(Outcome::Done(Change::Unchanged))) => saw(Situation::Repeated),
        (Event::Deliver(Report::Failed { step, .. }), _) => saw(match step {
            StepKind::Apply => Situation::PushRefused,
            step => Situation::Failed(*step),
        }),
        (Event::Perform(Step::Retire { .. }), _) if cut_off(before) => saw(Situation::RetiredWhileCutOff),
        (Event::Perform(Step::Apply { .. }), _) if cut_off(before) && happened.report.is_none() => {
            saw(Situation::WaitedForTheCutOff);
        }
        (Event::Perform(step), _)
            if step.generation() < before.task().wanted().generation
                && after.mesh().newest() != before.mesh().newest() =>
        {
            saw(Situation::AppliedLate);
        }
        (Event::Perform(Step::EnsureReady { version, .. }), _)
            if before.mesh().lost() == Some(*version) && after.mesh().lost().is_none() =>
        {
            saw(Situation::Regained(*version));
        }
        (Event::Move(Motion::Crash), _) => saw(Situation::Crashed(phase)),
        _ => {}
    }
    for report in &happened.stale {
        let fenced = matches!(report, Report::Failed { step: StepKind::Apply, .. })
            && report.generation() < before.mesh().newest().generation.max(after.mesh().newest().generation);
        *counts.entry(if fenced { Situation::Fenced } else { Situation::Late }).or_default() += 1;
    }
}

fn command_seen(command: &Command, phase: Phase, outcome: &Outcome) -> Option<Situation> {
    use release_core::Mode::Require;
    match (command, outcome) {
        (Command::Reopen, Outcome::Done(Change::Changed)) => Some(Situation::Reopened(phase)),
        (Command::Delete(Action::Cancel, _), Outcome::Done(Change::Changed)) if phase.action() == Some(Action::End) => {
            phase.stage().map(Situation::CancelOverEnd)
        }
        (Command::Delete(action, Require), Outcome::Done(Change::Changed)) => Some(Situation::RequireAccepted(*action)),
        (_, Outcome::Refused(error)) => Some(match error {
            Error::TakeoverRequired { action, .. } => Situation::RequireRefused(*action),
            Error::Closed { .. } => Situation::Refused(CLOSED),
            Error::NotRunning { .. } => Situation::Refused(NOT_RUNNING),
            Error::EndBeforeReady => Situation::Refused(END_BEFORE_READY),
            Error::CancelUnderWay => Situation::Refused(CANCEL_UNDER_WAY),
            Error::PointOfNoReturn { .. } => Situation::Refused(POINT_OF_NO_RETURN),
            _ => Situation::Refused("another reason"),
        }),
        _ => None,
    }
}

fn cut_off(world: &World) -> bool {
    world.mesh().proxies().iter().any(|proxy| !proxy.is_connected())
}

impl fmt::Display for Situation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reached(phase) => write!(f, "reached {phase}"),
            Self::Crashed(phase) => write!(f, "crash in {phase}"),
            Self::Reopened(phase) => write!(f, "reopened from {phase}"),
            Self::CancelOverEnd(stage) => write!(f, "a cancel overtook an end in {stage}"),
            Self::RequireRefused(action) => write!(f, "{action} with mode require refused"),
            Self::RequireAccepted(action) => write!(f, "{action} with mode require accepted"),
            Self::Refused(why) => write!(f, "a command refused: {why}"),
            Self::PushRefused => f.write_str("a proxy's refusal reached the task"),
            Self::Failed(step) => write!(f, "the task heard that it failed to {step}"),
            Self::Repeated => f.write_str("a report of this generation repeated, or after its stage"),
            Self::Late => f.write_str("a report of an older generation"),
            Self::Fenced => f.write_str("the fence refused an older routing"),
            Self::AppliedLate => f.write_str("a routing applied that was not wanted any more"),
            Self::WaitedForTheCutOff => f.write_str("no confirmation while a proxy was cut off"),
            Self::Regained(version) => write!(f, "the {version} version made ready again before a takeover"),
            Self::RetiredWhileCutOff => f.write_str("the loser retired while a proxy was cut off"),
        }
    }
}
