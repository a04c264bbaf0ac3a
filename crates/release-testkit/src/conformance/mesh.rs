//! What every mesh must do.

use super::{Verdict, ensure};
use release_core::{Command, Generation, ReleaseSpec, ReleaseTask, Report, Routing, Step, Version};
use release_engine::Mesh;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Takes a release through a whole life, every step twice and with a dropped try in between, and checks that an older
/// generation is refused at every point. `spec` is a release that the mesh can serve and does not know yet; `limit` is how
/// long a step may take.
pub async fn steps(mesh: &impl Mesh, spec: &ReleaseSpec, limit: Duration) -> Verdict {
    let apply = |number, routing| Step::Apply { generation: Generation::new(number), routing };
    let generation = Generation::new(3);
    let life = [
        Step::EnsureReady { generation: Generation::new(1), version: Version::Grayscale },
        apply(2, Routing::exclusive(Version::Grayscale)),
        Step::EnsureReady { generation: Generation::new(2), version: Version::Original },
        apply(3, Routing::exclusive(Version::Original)),
        Step::Drain { generation, version: Version::Grayscale },
        Step::Retire { generation, version: Version::Grayscale },
    ];
    for (number, step) in life.iter().enumerate() {
        // A try that is dropped at once, wherever it was.
        let _ = timeout(Duration::ZERO, mesh.perform(spec, step)).await;
        succeeds(mesh, spec, step, limit).await?;
        succeeds(mesh, spec, step, limit).await.map_err(|error| format!("the second time: {error}"))?;
        if number >= 3 {
            refuses(mesh, spec, &apply(2, Routing::exclusive(Version::Grayscale)), limit).await?;
            succeeds(mesh, spec, &life[3], limit)
                .await
                .map_err(|error| format!("after an older generation was asked for: {error}"))?;
        }
    }
    Ok(())
}

/// Checks that nothing is confirmed in a mesh in which no proxy is known. `limit` is how long to wait for that.
pub async fn nobody(mesh: &impl Mesh, spec: &ReleaseSpec, limit: Duration) -> Verdict {
    let routing = Routing::exclusive(Version::Original);
    let step = Step::Apply { generation: Generation::new(2), routing };
    let report = timeout(limit, mesh.perform(spec, &step)).await;
    ensure(!matches!(report, Ok(Report::Confirmed { .. })), || format!("nobody confirmed a routing: {report:?}"))
}

/// Takes a release through a whole life with a crash of the adapter before each step and after the last: what
/// [`restore`](Mesh::restore) is told must be enough to go on, and to go on refusing older generations.
///
/// `adapter` starts the adapter, at first and after each crash, on the same proxies and with what it keeps on its own, if
/// anything.
pub async fn restarts<M: Mesh>(adapter: impl AsyncFn() -> M, spec: &ReleaseSpec, limit: Duration) -> Verdict {
    let mut task = ReleaseTask::new(spec.clone()).map_err(|error| error.to_string())?;
    let mut commands = [Command::TakeOver(Version::Grayscale), Command::CANCEL].into_iter();
    loop {
        let mesh = adapter().await;
        let unclosed = if task.phase().is_closed() { &[][..] } else { std::slice::from_ref(&task) };
        mesh.restore(unclosed).await;
        let in_context = |error| format!("after a crash ({}): {error}", task.phase());
        let older = task.confirmed().generation.get().checked_sub(1).map(Generation::new);
        if let (Some(generation), false) = (older, task.phase().is_closed()) {
            let older = Step::Apply { generation, routing: Routing::exclusive(Version::Grayscale) };
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

/// Checks that a process that was slow does no harm when it asks to retire the loser of a release that was closed long ago.
///
/// `newer` is a release of the same service as `closed`, with the same grayscale version (which was deployed again), and
/// the mesh knows neither yet. `unharmed` is how to see that the service's workloads are there, apart from what the mesh
/// says.
pub async fn stale_retire(
    mesh: &impl Mesh,
    closed: &ReleaseSpec,
    newer: &ReleaseSpec,
    limit: Duration,
    unharmed: impl AsyncFn() -> Verdict,
) -> Verdict {
    let apply =
        |number, version| Step::Apply { generation: Generation::new(number), routing: Routing::exclusive(version) };
    let (generation, version) = (Generation::new(3), Version::Grayscale);
    let retire = Step::Retire { generation, version };
    let ready = Step::EnsureReady { generation: Generation::new(1), version };
    let canceled = [
        ready.clone(),
        apply(2, Version::Original),
        Step::EnsureReady { generation: Generation::new(2), version: Version::Original },
        apply(3, Version::Original),
        Step::Drain { generation, version },
        retire.clone(),
    ];
    for step in &canceled {
        succeeds(mesh, closed, step, limit).await.map_err(|error| format!("the release that is closed: {error}"))?;
    }
    let in_use = [ready, apply(2, Version::Grayscale)];
    for step in &in_use {
        succeeds(mesh, newer, step, limit).await.map_err(|error| format!("the newer release: {error}"))?;
    }
    // It may be refused, or succeed because that was done long ago; but not be done again.
    let _ = timeout(limit, mesh.perform(closed, &retire)).await;
    let in_context = |error| format!("after the stale request to retire: {error}");
    unharmed().await.map_err(in_context)?;
    for step in &in_use {
        succeeds(mesh, newer, step, limit).await.map_err(in_context)?;
    }
    Ok(())
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
    let mut last = None;
    let tries = async {
        loop {
            let report = mesh.perform(spec, step).await;
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
