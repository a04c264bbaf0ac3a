//! The simulated mesh against the conformance suite.

use crate::fixture::spec;
use release_testkit::SimulatedMesh;
use release_testkit::conformance::mesh;
use std::time::Duration;

const LIMIT: Duration = Duration::from_mins(1);

#[tokio::test(start_paused = true)]
async fn the_simulated_mesh_conforms() {
    for lag in [Duration::ZERO, Duration::from_secs(1)] {
        let simulated = SimulatedMesh::new(3).with_lag(lag);
        mesh::steps(&simulated, &spec("a"), LIMIT).await.unwrap();
        mesh::nobody(&SimulatedMesh::new(0).with_lag(lag), &spec("b"), LIMIT).await.unwrap();
        simulated.check().unwrap();
    }
}

/// The suite itself can fail.
#[tokio::test(start_paused = true)]
async fn a_mesh_that_does_everything_does_not_conform() {
    use release_core::{ReleaseSpec, Report, Step, Witnesses};

    struct Eager;
    impl release_engine::Mesh for Eager {
        async fn perform(&self, _: &ReleaseSpec, step: &Step) -> Report {
            step.succeeded(Witnesses::one("eager"), "idle")
        }
    }
    let error = mesh::steps(&Eager, &spec("a"), LIMIT).await.unwrap_err();
    assert!(error.starts_with("generation 2 was applied after generation 3"), "{error}");
    let error = mesh::nobody(&Eager, &spec("a"), LIMIT).await.unwrap_err();
    assert!(error.starts_with("nobody confirmed a routing"), "{error}");
}
