//! The simulated mesh against the conformance suite.

use crate::fixture::{key, spec};
use release_core::{
    Action, Generation, NumberedRouting, ReleaseSpec, Report, Routing, Step, Version, VersionLabel, Witnesses,
};
use release_engine::Mesh;
use release_testkit::SimulatedMesh;
use release_testkit::conformance::mesh;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

const LIMIT: Duration = Duration::from_mins(1);
const ACTIONS: [Action; 2] = [Action::Cancel, Action::End];

/// What the proxies of a release route by.
fn served(mesh: &SimulatedMesh, spec: &ReleaseSpec) -> Vec<NumberedRouting> {
    let release = mesh.release(&spec.key);
    release.iter().flat_map(release_testkit::mesh::Mesh::proxies).map(|proxy| proxy.running().clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn the_simulated_mesh_conforms() {
    for (lag, action) in [Duration::ZERO, Duration::from_secs(1)].into_iter().flat_map(|lag| ACTIONS.map(|a| (lag, a)))
    {
        let simulated = SimulatedMesh::new(3).with_lag(lag);
        let a = spec("a");
        mesh::steps(&simulated, action, &a, LIMIT, async || served(&simulated, &a)).await.unwrap();
        mesh::nobody(&SimulatedMesh::new(0).with_lag(lag), &spec("b"), LIMIT).await.unwrap();
        let newer = newer(action, "c");
        mesh::stale_steps(&simulated, action, &spec("c"), &newer, LIMIT, async || Ok(())).await.unwrap();
        mesh::restarts(async || simulated.clone(), action, &spec("d"), LIMIT).await.unwrap();
        simulated.check().unwrap();
        mesh::restarts(async || SimulatedMesh::new(3).with_lag(lag), action, &spec("e"), LIMIT).await.unwrap();
    }
}

/// A release of the same service, after `action`: a third version takes the place of the one that has won, and the one that
/// has lost is deployed again.
fn newer(action: Action, id: &str) -> ReleaseSpec {
    let closed = spec(id);
    let lost = closed.label(action.loser()).clone();
    ReleaseSpec { key: key("newer"), original: closed.label(action.survivor()).clone(), grayscale: lost, ..closed }
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

/// An adapter without a fence, which says what one with a fence would say.
struct SaysNo {
    mesh: SimulatedMesh,
    newest: Mutex<NumberedRouting>,
}

impl Mesh for SaysNo {
    async fn perform(&self, spec: &ReleaseSpec, step: &Step) -> Report {
        if let Step::Apply { generation, routing } = step {
            *self.newest.lock().unwrap() = NumberedRouting { generation: *generation, routing: routing.clone() };
        }
        self.mesh.perform(spec, step).await
    }
}

/// An adapter with one routing for each service, whichever release asks.
struct ByService {
    mesh: SimulatedMesh,
    serves: Mutex<Option<VersionLabel>>,
}

impl Mesh for ByService {
    async fn perform(&self, spec: &ReleaseSpec, step: &Step) -> Report {
        if let Step::Apply { routing, .. } = step {
            *self.serves.lock().unwrap() = routing.sole_owner().map(|version| spec.label(version).clone());
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
    let error = mesh::steps(&Eager, Action::Cancel, &spec("a"), LIMIT, async || ()).await.unwrap_err();
    assert!(error.starts_with("generation 2 was applied after a newer one"), "{error}");
    let error = mesh::nobody(&Eager, &spec("a"), LIMIT).await.unwrap_err();
    assert!(error.starts_with("nobody confirmed a routing"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_mesh_that_forgets_its_fence_does_not_conform() {
    let error = mesh::restarts(async || Forgets(SimulatedMesh::new(2)), Action::Cancel, &spec("a"), LIMIT).await;
    let error = error.unwrap_err();
    assert!(error.contains("was applied after a newer one"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_mesh_that_only_says_that_it_refuses_does_not_conform() {
    for action in ACTIONS {
        let a = spec("a");
        let newest = NumberedRouting { generation: Generation::ZERO, routing: Routing::exclusive(Version::Original) };
        let mesh = SaysNo { mesh: SimulatedMesh::new(2), newest: Mutex::new(newest) };
        let served = async || mesh.newest.lock().unwrap().generation;
        let error = mesh::steps(&mesh, action, &a, LIMIT, served).await.unwrap_err();
        let expected =
            "it refused generation 2 after a newer one, but served Generation(3) before and Generation(2) now";
        assert_eq!(error, expected);
    }
}

/// An adapter whose steps take five seconds from when they are asked for, however often they were asked for before.
struct WaitsAnew(SimulatedMesh);

impl Mesh for WaitsAnew {
    async fn perform(&self, spec: &ReleaseSpec, step: &Step) -> Report {
        tokio::time::sleep(Duration::from_secs(5)).await;
        self.0.perform(spec, step).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_mesh_that_begins_to_wait_anew_does_not_conform() {
    let mesh = WaitsAnew(SimulatedMesh::new(2));
    let error = mesh::steps(&mesh, Action::Cancel, &spec("a"), LIMIT, async || ()).await.unwrap_err();
    assert!(error.starts_with("asked again every 3s: it did not "), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_mesh_that_routes_as_a_closed_release_wants_does_not_conform() {
    for action in ACTIONS {
        let mesh = ByService { mesh: SimulatedMesh::new(2), serves: Mutex::default() };
        let (closed, newer) = (spec("a"), newer(action, "a"));
        let unharmed = async || match &*mesh.serves.lock().unwrap() {
            Some(label) if label == closed.label(action.loser()) => Ok(()),
            label => Err(format!("{label:?} is served")),
        };
        let error = mesh::stale_steps(&mesh, action, &closed, &newer, LIMIT, unharmed).await.unwrap_err();
        assert!(error.starts_with("after the stale request to apply"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_mesh_that_retires_what_a_newer_release_uses_does_not_conform() {
    for (action, what) in [(Action::Cancel, "grayscale version: v2"), (Action::End, "original version: v1")] {
        let mesh = ByLabel { mesh: SimulatedMesh::new(2), gone: Mutex::default() };
        let unharmed = async || match mesh.gone.lock().unwrap().first() {
            None => Ok(()),
            Some(label) => Err(format!("{label} is gone")),
        };
        let stale = mesh::stale_steps(&mesh, action, &spec("a"), &newer(action, "a"), LIMIT, unharmed).await;
        assert_eq!(stale.unwrap_err(), format!("after the stale request to retire the {what} is gone"));
    }
}
