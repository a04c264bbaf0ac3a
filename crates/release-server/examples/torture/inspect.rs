//! Looks at what a killed server left behind.

use crate::ledger::{Ledger, Seen};
use crate::server::FILE;
use anyhow::{Context as _, Result, anyhow, ensure};
use release_core::{Generation, Phase, ReleaseKey, ReleaseTask, Stage, law};
use release_engine::Store as _;
use release_store::RedbStore;
use release_testkit::SimulatedMesh;
use release_testkit::mesh::Mesh;
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
            agrees(task, mesh.release(key).as_ref()).with_context(|| format!("{key}, {}", task.phase()))?;
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
fn agrees(task: &ReleaseTask, mesh: Option<&Mesh>) -> Result<()> {
    let Some(mesh) = mesh else {
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

#[cfg(test)]
mod tests {
    use super::*;
    use release_core::{Action, Command, Mode, Percent, Routing, Step, Version};

    /// All that may be found of a release that this action closes, killed at any time.
    fn life(action: Action) -> Vec<(ReleaseTask, Mesh)> {
        let spec = release_core::ReleaseSpec {
            key: ReleaseKey::parse("mesh-1", "shop", "a").unwrap(),
            service: "cart".parse().unwrap(),
            original: "v1".parse().unwrap(),
            grayscale: "v2".parse().unwrap(),
        };
        let (mut task, mut mesh) = (ReleaseTask::new(spec).unwrap(), Mesh::new(2));
        let mut life = vec![(task.clone(), mesh.clone())];
        let commands = [
            None,
            Some(Command::SetRouting(Routing::weighted(Percent::new(20).unwrap()))),
            Some(Command::Delete(action, Mode::Perform)),
        ];
        for command in commands {
            if let Some(command) = command {
                let _ = task.command(command).unwrap();
                life.push((task.clone(), mesh.clone()));
            }
            while let Some(step) = task.next_step() {
                let report = mesh.perform(&step);
                life.push((task.clone(), mesh.clone()));
                mesh.settle();
                if let Some(report) = report {
                    let _ = task.report(report).unwrap();
                }
                life.push((task.clone(), mesh.clone()));
            }
        }
        life
    }

    /// As it is found when it has just got there.
    fn at(phase: Phase) -> (ReleaseTask, Mesh) {
        let mut life = life(phase.action().unwrap_or(Action::End)).into_iter();
        life.find(|(task, _)| task.phase() == phase).unwrap()
    }

    #[test]
    fn a_mesh_that_was_told_what_is_stored_agrees() {
        for (task, mesh) in [Action::Cancel, Action::End].into_iter().flat_map(life) {
            agrees(&task, Some(&mesh)).unwrap();
        }
        agrees(&at(Phase::Deploying).0, None).unwrap();
    }

    #[test]
    fn a_mesh_that_contradicts_what_is_stored_is_told() {
        use Action::{Cancel, End};
        use Phase::{Closed, Closing, Running};
        use Stage::{Draining, Retiring, Routing};
        for (stored, happened, wrong) in [
            (Running, Closing(End, Draining), "generation 4 was applied before it was stored: 2 is"),
            (Closing(End, Draining), Closing(End, Routing), "generation 4 is confirmed, and"),
            (Closing(End, Draining), Closed(End), "the original version was retired before that was stored"),
            (Closing(End, Retiring), Closed(Cancel), "the grayscale version was retired"),
            (Closed(Cancel), Closed(End), "Some(Original) was retired"),
            (Closed(End), Closing(End, Retiring), "None was retired"),
        ] {
            let error = agrees(&at(stored).0, Some(&at(happened).1)).expect_err(wrong).to_string();
            assert!(error.starts_with(wrong), "{error}");
        }
        let error = agrees(&at(Running).0, None).unwrap_err().to_string();
        assert_eq!(error, "the mesh was never asked for anything");
        let (task, mut mesh) = at(Closed(End));
        let generation = task.wanted().generation;
        mesh.perform(&Step::Retire { generation, version: Version::Grayscale });
        assert_eq!(agrees(&task, Some(&mesh)).unwrap_err().to_string(), "both versions are gone");
    }
}
