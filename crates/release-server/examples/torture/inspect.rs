//! Looks at what a killed server left behind.

use crate::ledger::{Ledger, Seen};
use crate::server::FILE;
use anyhow::{Context as _, Result, anyhow, ensure};
use release_core::{Generation, Phase, ReleaseKey, ReleaseTask, Stage, law};
use release_engine::Store as _;
use release_store::RedbStore;
use release_testkit::SimulatedMesh;
use std::collections::BTreeMap;
use std::path::Path;
use tempfile::TempDir;

/// Checks a copy of the file, so that repairing it stays the next server's business. Returns where each task is.
pub(crate) async fn inspect(
    data: &Path,
    ledger: &Ledger,
    mesh: Option<&SimulatedMesh>,
) -> Result<BTreeMap<ReleaseKey, Phase>> {
    let copy = TempDir::new()?;
    std::fs::copy(data.join(FILE), copy.path().join(FILE))?;
    let store = RedbStore::open(copy.path().join(FILE))?;
    let mut found = BTreeMap::new();
    // Decoding a task checks the laws of its state.
    for stored in store.list(&"mesh-1".parse()?).await? {
        let task = &stored.record.task;
        let key = task.key();
        law::check_future(task).with_context(|| format!("{key}"))?;
        ledger.saw(&key.id, Seen::from(task))?;
        ensure!(
            task.phase().is_closed() == stored.record.closed.is_some(),
            "{key}: when it was closed is not as it is"
        );
        if let Some(mesh) = mesh {
            agrees(task, mesh).with_context(|| format!("{key}, {}", task.phase()))?;
        }
        found.insert(key.clone(), task.phase());
    }
    for id in ledger.ids() {
        ensure!(found.keys().any(|key| key.id == id), "{id} is gone");
    }
    if let Some(mesh) = mesh {
        mesh.check().context("traffic was lost")?;
    }
    Ok(found)
}

/// Whether all that happened in the mesh was stored before, and all that is stored happened.
fn agrees(task: &ReleaseTask, mesh: &SimulatedMesh) -> Result<()> {
    let Some(mesh) = mesh.release(task.key()) else {
        let untouched = task.confirmed().generation == Generation::ZERO && task.phase() == Phase::Deploying
            || matches!(task.phase(), Phase::Closing(_, Stage::Preparing));
        ensure!(untouched, "the mesh was never asked for anything");
        return Ok(());
    };
    let (applied, wanted) = (mesh.newest().generation, task.wanted().generation);
    ensure!(applied <= wanted, "generation {applied} was applied before it was stored: {wanted} is");
    let confirmed = task.confirmed().generation;
    for proxy in mesh.proxies() {
        let runs = proxy.running().generation;
        ensure!(runs >= confirmed, "generation {confirmed} is confirmed, and {:?} runs {runs}", proxy.id());
    }
    let retired = mesh.retired().map(|retired| retired.sole().ok_or_else(|| anyhow!("both versions are gone")));
    match (task.phase(), retired.transpose()?) {
        (Phase::Closed(action), gone) => ensure!(gone == Some(action.loser()), "{gone:?} was retired"),
        (Phase::Closing(action, Stage::Retiring), Some(gone)) => {
            ensure!(gone == action.loser(), "the {gone} version was retired");
        }
        (_, Some(gone)) => anyhow::bail!("the {gone} version was retired before that was stored"),
        (_, None) => {}
    }
    Ok(())
}
