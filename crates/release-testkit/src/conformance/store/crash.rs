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
    after_each_access("power cut", seed, async |accesses| {
        let (disk, run) = Run::until_it_fails(disk(), accesses, seed).await?;
        drop(run.store);
        disk.cut(seed ^ accesses);
        disk.fail_after(None);
        check(&disk.open()?, &run.model, run.under_way.as_ref()).await?;
        Ok(run.under_way.is_none())
    })
    .await
}

/// Lets the disk fail after the first access, after the second, and so on, for a while (it is full, say), and checks each
/// time that the same store works again afterwards and has everything that it answered.
pub async fn failures<D: Disk>(disk: impl Fn() -> D, seed: u64) -> Result<u64, String> {
    after_each_access("failing", seed, async |accesses| {
        let (disk, mut run) = Run::until_it_fails(disk(), accesses, seed).await?;
        disk.fail_after(None);
        run.model = check(&run.store, &run.model, run.under_way.as_ref()).await?;
        let complete = run.under_way.is_none();
        run.go_on().await?;
        if run.under_way.is_some() {
            return Err("it went on failing when the disk worked again".into());
        }
        run.model.compare_everything(&run.store).await?;
        Ok(complete)
    })
    .await
}

/// Lets `trial` happen with 0 accesses that work, with 1, and so on, until it says that it was never disturbed.
async fn after_each_access(
    what: &str,
    seed: u64,
    trial: impl AsyncFn(u64) -> Result<bool, String>,
) -> Result<u64, String> {
    for accesses in 0.. {
        let complete = trial(accesses).await;
        if complete.map_err(|error| format!("seed {seed}, {what} after {accesses} accesses: {error}"))? {
            return Ok(accesses);
        }
    }
    Ok(u64::MAX)
}

/// Random operations on a store, and on the model of it.
struct Run<S> {
    store: S,
    model: Model,
    rng: Rng,
    /// The operation in which the store failed.
    under_way: Option<Operation>,
}

impl<S: Store> Run<S> {
    /// On an empty disk that fails after that many accesses.
    async fn until_it_fails<D: Disk<Store = S>>(disk: D, accesses: u64, seed: u64) -> Result<(D, Self), String> {
        let (model, rng) = (Model::new(KEEP_CLOSED), Rng::with_seed(seed));
        let mut run = Self { store: disk.open()?, model, rng, under_way: None };
        disk.fail_after(Some(accesses));
        run.go_on().await?;
        Ok((disk, run))
    }

    /// Does more operations, until the store fails.
    async fn go_on(&mut self) -> Result<(), String> {
        self.under_way = None;
        for _ in 0..OPERATIONS {
            let operation = Operation::random(&mut self.rng);
            match self.model.compare(&self.store, &operation).await {
                Ok(()) => {}
                Err(Difference::Store(_)) => {
                    self.under_way = Some(operation);
                    break;
                }
                Err(Difference::Wrong(what)) => return Err(format!("{operation:?}: {what}")),
            }
        }
        Ok(())
    }
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
