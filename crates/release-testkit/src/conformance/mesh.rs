//! What every mesh must do.

use super::{Verdict, ensure};
use release_core::{Generation, ReleaseSpec, Report, Routing, Step, Version};
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
            let older = apply(2, Routing::exclusive(Version::Grayscale));
            let report = timeout(limit, mesh.perform(spec, &older)).await;
            ensure(!matches!(report, Ok(Report::Confirmed { .. })), || {
                format!("generation 2 was applied after generation 3: {report:?}")
            })?;
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

/// Tries a step as an engine would, until it succeeds.
async fn succeeds(mesh: &impl Mesh, spec: &ReleaseSpec, step: &Step, limit: Duration) -> Verdict {
    let mut last = None;
    let tries = async {
        loop {
            let report = mesh.perform(spec, step).await;
            let answers = report.step() == step.kind() && report.generation() == step.generation();
            match report {
                Report::Failed { .. } => last = Some(report),
                report => return ensure(answers, || format!("asked to {}, it answered {report:?}", step.kind())),
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    let done = timeout(limit, tries).await;
    done.unwrap_or_else(|_| Err(format!("it did not {} within {limit:?}; its last answer: {last:?}", step.kind())))
}
