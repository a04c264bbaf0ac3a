//! Stores that survive: crashes and failures at every access to the disk.

use super::model::{Difference, Model};
use super::operation::Operation;
use fastrand::Rng;
use release_engine::Store;

/// The operations of a run.
const OPERATIONS: usize = 24;
const KEEP_CLOSED: usize = 2;

/// A disk that can fail, with a store on it.
pub trait Disk {
    /// The store.
    type Store: Store;

    /// Opens the store that is on the disk, which is empty at first. It keeps two closed records.
    fn open(&self) -> Result<Self::Store, String>;

    /// From now on, that many accesses work, and every later one fails; with `None`, all work.
    fn fail_after(&self, accesses: Option<u64>);

    /// Cuts the power: what was not synced is lost, or any part of it. The store that was open has been dropped.
    fn cut(&self, seed: u64);
}

/// Cuts the power after the first access to the disk, after the second, and so on until a whole run works, and checks each
/// time that the store opens again and has everything that it answered. Returns how many accesses there were.
pub async fn crashes<D: Disk>(disk: impl Fn() -> D, seed: u64) -> Result<u64, String> {
    for accesses in 0.. {
        let disk = disk();
        let in_context = |error: String| format!("seed {seed}, power cut after {accesses} accesses: {error}");
        let store = disk.open().map_err(in_context)?;
        let (mut model, mut rng) = (Model::new(KEEP_CLOSED), Rng::with_seed(seed));
        disk.fail_after(Some(accesses));
        let under_way = run(&store, &mut model, &mut rng).await.map_err(in_context)?;
        drop(store);
        disk.cut(seed ^ accesses);
        disk.fail_after(None);
        let store = disk.open().map_err(in_context)?;
        check(&store, &model, under_way.as_ref()).await.map_err(in_context)?;
        if under_way.is_none() {
            return Ok(accesses);
        }
    }
    Ok(u64::MAX)
}

/// Lets the disk fail after the first access, after the second, and so on, for a while (it is full, say), and checks each
/// time that the same store works again afterwards and has everything that it answered.
pub async fn failures<D: Disk>(disk: impl Fn() -> D, seed: u64) -> Result<u64, String> {
    for accesses in 0.. {
        let disk = disk();
        let in_context = |error: String| format!("seed {seed}, failing after {accesses} accesses: {error}");
        let store = disk.open().map_err(in_context)?;
        let (mut model, mut rng) = (Model::new(KEEP_CLOSED), Rng::with_seed(seed));
        disk.fail_after(Some(accesses));
        let under_way = run(&store, &mut model, &mut rng).await.map_err(in_context)?;
        disk.fail_after(None);
        let mut model = check(&store, &model, under_way.as_ref()).await.map_err(in_context)?;
        if run(&store, &mut model, &mut rng).await.map_err(in_context)?.is_some() {
            return Err(in_context("it went on failing when the disk worked again".into()));
        }
        model.compare_everything(&store).await.map_err(in_context)?;
        if under_way.is_none() {
            return Ok(accesses);
        }
    }
    Ok(u64::MAX)
}

/// Runs random operations until the store fails, and returns the one that was under way then.
async fn run(store: &impl Store, model: &mut Model, rng: &mut Rng) -> Result<Option<Operation>, String> {
    for _ in 0..OPERATIONS {
        let operation = Operation::random(rng);
        match model.compare(store, &operation).await {
            Ok(()) => {}
            Err(Difference::Store(_)) => return Ok(Some(operation)),
            Err(Difference::Wrong(what)) => return Err(format!("{operation:?}: {what}")),
        }
    }
    Ok(None)
}

/// Checks that the store has what the model has, and of the operation that was under way all or nothing. Returns the model
/// of what it has.
async fn check(store: &impl Store, model: &Model, under_way: Option<&Operation>) -> Result<Model, String> {
    let model = match under_way {
        Some(operation) => model.after(store, operation).await.map_err(|difference| difference.describe())?,
        None => model.clone(),
    };
    model.compare_everything(store).await?;
    Ok(model)
}
