//! A server in this process, on a real redb file, with a mesh and a store that misbehave when told.

use crate::client::{Client, LIMIT};
use release_core::{Stage, Step};
use release_server::serve::{Options, Server};
use release_store::RedbStore;
use release_testkit::{Behaviour, FlakyStore, SimulatedMesh};
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

pub(crate) struct InProcess {
    pub(crate) server: Server,
    pub(crate) client: Client,
    pub(crate) mesh: SimulatedMesh,
    pub(crate) store: FlakyStore<RedbStore>,
}

impl InProcess {
    /// A server on the store in that directory.
    pub(crate) async fn start(directory: &Path, wait: Duration) -> Self {
        Self::start_over(SimulatedMesh::new(2), directory, wait).await
    }

    /// The same, over a mesh that may misbehave from the start.
    pub(crate) async fn start_over(mesh: SimulatedMesh, directory: &Path, wait: Duration) -> Self {
        let store = FlakyStore::new(RedbStore::open(directory.join("releases.redb")).unwrap());
        let options = Options { wait, shutdown_limit: LIMIT, ..Options::default() };
        let server = Server::start_on(store.clone(), mesh.clone(), options).await.unwrap();
        let client = Client::new(server.address());
        Self { server, client, mesh, store }
    }
}

pub(crate) fn directory() -> TempDir {
    TempDir::new().unwrap()
}

/// Hangs in that stage of any takeover.
pub(crate) fn hang_in(mesh: &SimulatedMesh, stage: Stage) {
    misbehave_in(mesh, stage, Behaviour::Hangs);
}

/// Behaves so in that stage of any takeover, and works in the others.
pub(crate) fn misbehave_in(mesh: &SimulatedMesh, stage: Stage, behaviour: Behaviour) {
    mesh.behave(move |_, step| if is_of(step, stage) { behaviour.clone() } else { Behaviour::Works });
}

fn is_of(step: &Step, stage: Stage) -> bool {
    match stage {
        Stage::Preparing => matches!(step, Step::EnsureReady { .. }),
        Stage::Routing => matches!(step, Step::Apply { routing, .. } if routing.sole_owner().is_some()),
        Stage::Draining => matches!(step, Step::Drain { .. }),
        Stage::Retiring => matches!(step, Step::Retire { .. }),
    }
}

/// As the API writes them.
pub(crate) const STAGES: [(Stage, &str); 4] = [
    (Stage::Preparing, "preparing"),
    (Stage::Routing, "routing"),
    (Stage::Draining, "draining"),
    (Stage::Retiring, "retiring"),
];
