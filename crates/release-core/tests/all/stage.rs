//! Tasks in every phase, reached the way users reach them.

use release_core::{
    Action, Command, Mode, Percent, Phase, ReleaseKey, ReleaseSpec, ReleaseTask, Routing, Stage, Step, Version,
    Witnesses,
};

pub(crate) const STAGES: [Stage; 4] = [Stage::Preparing, Stage::Routing, Stage::Draining, Stage::Retiring];

pub(crate) fn spec() -> ReleaseSpec {
    ReleaseSpec {
        key: ReleaseKey::parse("mesh-1", "shop", "3f2a").unwrap(),
        service: "cart".parse().unwrap(),
        original: "v1".parse().unwrap(),
        grayscale: "v2".parse().unwrap(),
    }
}

pub(crate) fn deploying() -> ReleaseTask {
    ReleaseTask::new(spec()).unwrap()
}

/// Running, and every proxy has confirmed that a fifth of the requests goes to the grayscale version.
pub(crate) fn running() -> ReleaseTask {
    let mut task = deploying();
    succeed(&mut task);
    let _ = task.command(Command::SetRouting(twenty())).unwrap();
    succeed(&mut task);
    assert_eq!((task.phase(), task.next_step()), (Phase::Running, None));
    task
}

/// Running, and every proxy has confirmed that one version has all traffic.
pub(crate) fn taken_over(version: Version) -> ReleaseTask {
    let mut task = running();
    let _ = task.command(Command::TakeOver(version)).unwrap();
    succeed(&mut task);
    task
}

pub(crate) fn closing(action: Action, stage: Stage) -> ReleaseTask {
    let mut task = running();
    let _ = task.command(Command::Delete(action, Mode::Perform)).unwrap();
    while task.phase() != Phase::Closing(action, stage) {
        succeed(&mut task);
    }
    task
}

pub(crate) fn closed(action: Action) -> ReleaseTask {
    let mut task = closing(action, Stage::Retiring);
    succeed(&mut task);
    assert_eq!(task.phase(), Phase::Closed(action));
    task
}

/// One task in each phase and stage.
pub(crate) fn every_phase() -> Vec<ReleaseTask> {
    let mut tasks = vec![deploying(), running()];
    for action in [Action::Cancel, Action::End] {
        tasks.extend(STAGES.map(|stage| closing(action, stage)));
    }
    tasks.extend([closed(Action::Cancel), closed(Action::End)]);
    tasks
}

/// The step that is due succeeds.
pub(crate) fn succeed(task: &mut ReleaseTask) -> Step {
    let step = task.next_step().unwrap();
    let _ = task.report(step.succeeded(Witnesses::one("envoy-1"), "idle for 15 s")).unwrap();
    step
}

pub(crate) fn twenty() -> Routing {
    Routing::weighted(Percent::new(20).unwrap())
}
