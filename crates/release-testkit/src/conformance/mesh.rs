//! What every mesh must do.

use super::{Verdict, ensure};
use release_core::{Action, Command, Generation, Mode, ReleaseSpec, ReleaseTask, Report, Routing, Step, Version};
use release_engine::Mesh;
use std::fmt::Debug;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Takes a release through a whole life that ends with `action`: every step is asked for, dropped and asked for again until
/// it succeeds, and then once more. An older generation must be refused at every point, and change nothing.
///
/// `spec` is a release that the mesh can serve and does not know yet; `limit` is how long a step may take. A try is dropped
/// after a twentieth of it, since a wait counts from what happened in the mesh. `served` says, by other ways than the mesh's
/// answers, what is routed where: anything that is equal as long as nothing has changed.
pub async fn steps<T: Debug + PartialEq>(
    mesh: &impl Mesh,
    action: Action,
    spec: &ReleaseSpec,
    limit: Duration,
    served: impl AsyncFn() -> T,
) -> Verdict {
    let older = apply(2, action.loser());
    for (number, step) in life(action).iter().enumerate() {
        // A try that is dropped at once, wherever it was.
        let _ = timeout(Duration::ZERO, mesh.perform(spec, step)).await;
        succeeds_bit_by_bit(mesh, spec, step, limit).await?;
        succeeds(mesh, spec, step, limit).await.map_err(|error| format!("the second time: {error}"))?;
        if number >= 3 {
            let before = served().await;
            refuses(mesh, spec, &older, limit).await?;
            let after = served().await;
            ensure(before == after, || {
                format!("it refused generation 2 after a newer one, but served {before:?} before and {after:?} now")
            })?;
            succeeds(mesh, spec, &apply(3, action.survivor()), limit)
                .await
                .map_err(|error| format!("after an older generation was asked for: {error}"))?;
        }
    }
    Ok(())
}

/// Checks that nothing is confirmed in a mesh in which no proxy is known. `limit` is how long to wait for that.
pub async fn nobody(mesh: &impl Mesh, spec: &ReleaseSpec, limit: Duration) -> Verdict {
    let report = timeout(limit, mesh.perform(spec, &apply(2, Version::Original))).await;
    ensure(!matches!(report, Ok(Report::Confirmed { .. })), || format!("nobody confirmed a routing: {report:?}"))
}

/// Takes a release through a whole life that ends with `action`, with a crash of the adapter before each step and after the
/// last: what [`restore`](Mesh::restore) is told must be enough to go on, and to go on refusing older generations.
///
/// `adapter` starts the adapter, at first and after each crash, on the same proxies and with what it keeps on its own, if
/// anything.
pub async fn restarts<M: Mesh>(
    adapter: impl AsyncFn() -> M,
    action: Action,
    spec: &ReleaseSpec,
    limit: Duration,
) -> Verdict {
    let mut task = ReleaseTask::new(spec.clone()).map_err(|error| error.to_string())?;
    let mut commands = [Command::TakeOver(action.loser()), Command::Delete(action, Mode::Perform)].into_iter();
    loop {
        let mesh = adapter().await;
        let unclosed = if task.phase().is_closed() { &[][..] } else { std::slice::from_ref(&task) };
        mesh.restore(unclosed).await;
        let in_context = |error| format!("after a crash ({}): {error}", task.phase());
        let older = task.confirmed().generation.get().checked_sub(1).map(Generation::new);
        if let (Some(generation), false) = (older, task.phase().is_closed()) {
            let older = Step::Apply { generation, routing: Routing::exclusive(action.loser()) };
            refuses(&mesh, spec, &older, limit).await.map_err(in_context)?;
        }
        if let Some(step) = task.next_step() {
            let report = succeeds(&mesh, spec, &step, limit).await.map_err(in_context)?;
            let _ = task.report(report).map_err(|error| error.to_string())?;
        } else if let Some(command) = commands.next() {
            let _ = task.command(command).map_err(|error| error.to_string())?;
        } else {
            return Ok(());
        }
    }
}

/// Checks that a process that was slow does no harm when it asks again for the last steps of a release that was closed long
/// ago with `action`: it routes nothing of a newer release of the service, and retires nothing that is in use there.
///
/// `newer` is a release of the same service as `closed` that has the version which lost in `closed` (it was deployed again)
/// as one of its two, and the mesh knows neither release yet. `unharmed` is how to see, by other ways than the mesh's answers,
/// that that version's workloads are there and have the service's traffic.
pub async fn stale_steps(
    mesh: &impl Mesh,
    action: Action,
    closed: &ReleaseSpec,
    newer: &ReleaseSpec,
    limit: Duration,
    unharmed: impl AsyncFn() -> Verdict,
) -> Verdict {
    let again = closed.label(action.loser());
    let has_it = [Version::Grayscale, Version::Original].into_iter().find(|version| newer.label(*version) == again);
    let version = has_it.ok_or_else(|| format!("the newer release has no version {again}"))?;
    let life = life(action);
    for step in &life {
        succeeds(mesh, closed, step, limit).await.map_err(|error| format!("the release that is closed: {error}"))?;
    }
    let in_use = [Step::EnsureReady { generation: Generation::new(1), version }, apply(2, version)];
    for step in &in_use {
        succeeds(mesh, newer, step, limit).await.map_err(|error| format!("the newer release: {error}"))?;
    }
    unharmed().await.map_err(|error| format!("before any stale request: {error}"))?;
    for stale in life.iter().skip(3) {
        // It may be refused, or succeed because that was done long ago; but not be done again.
        let _ = timeout(limit, mesh.perform(closed, stale)).await;
        let in_context = |error| format!("after the stale request to {}: {error}", stale.kind());
        unharmed().await.map_err(in_context)?;
        for step in &in_use {
            succeeds(mesh, newer, step, limit).await.map_err(in_context)?;
        }
    }
    Ok(())
}

/// A life in which the version that loses has all traffic before the takeover: its last three steps are those of the
/// takeover.
fn life(action: Action) -> [Step; 6] {
    let (generation, version) = (Generation::new(3), action.loser());
    [
        Step::EnsureReady { generation: Generation::new(1), version: Version::Grayscale },
        apply(2, version),
        Step::EnsureReady { generation: Generation::new(2), version: action.survivor() },
        apply(3, action.survivor()),
        Step::Drain { generation, version },
        Step::Retire { generation, version },
    ]
}

fn apply(generation: u64, version: Version) -> Step {
    Step::Apply { generation: Generation::new(generation), routing: Routing::exclusive(version) }
}

/// Checks that a step that asks for an older generation is not performed.
async fn refuses(mesh: &impl Mesh, spec: &ReleaseSpec, older: &Step, limit: Duration) -> Verdict {
    let report = timeout(limit, mesh.perform(spec, older)).await;
    ensure(!matches!(report, Ok(Report::Confirmed { .. })), || {
        format!("generation {} was applied after a newer one: {report:?}", older.generation())
    })
}

/// Tries a step as an engine would, until it succeeds.
async fn succeeds(mesh: &impl Mesh, spec: &ReleaseSpec, step: &Step, limit: Duration) -> Result<Report, String> {
    tries(mesh, spec, step, limit, limit).await
}

/// The same, by one who asks again and again because it does not wait for long.
async fn succeeds_bit_by_bit(mesh: &impl Mesh, spec: &ReleaseSpec, step: &Step, limit: Duration) -> Verdict {
    let done = tries(mesh, spec, step, limit, limit / 20).await.map(drop);
    done.map_err(|error| format!("asked again every {:?}: {error}", limit / 20))
}

/// Tries a step until it succeeds, for `limit`; one try has `patience`.
async fn tries(
    mesh: &impl Mesh,
    spec: &ReleaseSpec,
    step: &Step,
    limit: Duration,
    patience: Duration,
) -> Result<Report, String> {
    let mut last = None;
    let tries = async {
        loop {
            let Ok(report) = timeout(patience, mesh.perform(spec, step)).await else { continue };
            let answers = report.step() == step.kind() && report.generation() == step.generation();
            match report {
                Report::Failed { .. } => last = Some(report),
                report if answers => return Ok(report),
                report => return Err(format!("asked to {}, it answered {report:?}", step.kind())),
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    let done = timeout(limit, tries).await;
    done.unwrap_or_else(|_| Err(format!("it did not {} within {limit:?}; its last answer: {last:?}", step.kind())))
}
