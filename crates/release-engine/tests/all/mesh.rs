//! The simulated mesh against the conformance suite.

use crate::fixture::{key, spec};
use release_core::{ReleaseSpec, Report, Step, VersionLabel, Witnesses};
use release_engine::Mesh;
use release_testkit::SimulatedMesh;
use release_testkit::conformance::mesh;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

const LIMIT: Duration = Duration::from_mins(1);

#[tokio::test(start_paused = true)]
async fn the_simulated_mesh_conforms() {
    for lag in [Duration::ZERO, Duration::from_secs(1)] {
        let simulated = SimulatedMesh::new(3).with_lag(lag);
        mesh::steps(&simulated, &spec("a"), LIMIT).await.unwrap();
        mesh::nobody(&SimulatedMesh::new(0).with_lag(lag), &spec("b"), LIMIT).await.unwrap();
        let newer = ReleaseSpec { key: key("b"), ..spec("c") };
        mesh::stale_retire(&simulated, &spec("c"), &newer, LIMIT, async || Ok(())).await.unwrap();
        mesh::restarts(async || simulated.clone(), &spec("d"), LIMIT).await.unwrap();
        simulated.check().unwrap();
        mesh::restarts(async || SimulatedMesh::new(3).with_lag(lag), &spec("e"), LIMIT).await.unwrap();
    }
}

/// An adapter that forgets its fence in a crash, because it leaves out `restore`.
struct Forgets(SimulatedMesh);

impl Mesh for Forgets {
    async fn perform(&self, spec: &ReleaseSpec, step: &Step) -> Report {
        self.0.perform(spec, step).await
    }
}

/// An adapter that deletes what a step names by its label, whoever uses it.
struct ByLabel {
    mesh: SimulatedMesh,
    gone: Mutex<BTreeSet<VersionLabel>>,
}

impl Mesh for ByLabel {
    async fn perform(&self, spec: &ReleaseSpec, step: &Step) -> Report {
        {
            let mut gone = self.gone.lock().unwrap();
            let _ = match step {
                Step::EnsureReady { version, .. } => gone.remove(spec.label(*version)),
                Step::Retire { version, .. } => gone.insert(spec.label(*version).clone()),
                Step::Apply { .. } | Step::Drain { .. } => false,
            };
        }
        self.mesh.perform(spec, step).await
    }
}

/// The suite itself can fail.
#[tokio::test(start_paused = true)]
async fn a_mesh_that_does_everything_does_not_conform() {
    struct Eager;
    impl Mesh for Eager {
        async fn perform(&self, _: &ReleaseSpec, step: &Step) -> Report {
            step.succeeded(Witnesses::one("eager"), "idle")
        }
    }
    let error = mesh::steps(&Eager, &spec("a"), LIMIT).await.unwrap_err();
    assert!(error.starts_with("generation 2 was applied after a newer one"), "{error}");
    let error = mesh::nobody(&Eager, &spec("a"), LIMIT).await.unwrap_err();
    assert!(error.starts_with("nobody confirmed a routing"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_mesh_that_forgets_its_fence_does_not_conform() {
    let error = mesh::restarts(async || Forgets(SimulatedMesh::new(2)), &spec("a"), LIMIT).await.unwrap_err();
    assert!(error.contains("was applied after a newer one"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_mesh_that_retires_what_a_newer_release_uses_does_not_conform() {
    let mesh = ByLabel { mesh: SimulatedMesh::new(2), gone: Mutex::default() };
    let newer = ReleaseSpec { key: key("b"), ..spec("a") };
    let unharmed = async || match mesh.gone.lock().unwrap().first() {
        None => Ok(()),
        Some(label) => Err(format!("{label} is gone")),
    };
    let error = mesh::stale_retire(&mesh, &spec("a"), &newer, LIMIT, unharmed).await.unwrap_err();
    assert_eq!(error, "after the stale request to retire: v2 is gone");
}
