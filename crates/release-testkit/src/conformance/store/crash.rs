//! Stores that survive: crashes and failures at every access to the disk.

use super::model::{Difference, Model};
use super::operation::{Operation, Scope};
use crate::conformance::Verdict;
use fastrand::Rng;
use release_engine::Store;
use std::sync::Arc;
use tokio::task::JoinSet;

/// The operations of a caller.
const OPERATIONS: usize = 24;
const KEEP_CLOSED: usize = 2;
/// How often the disk fails at most when the store recovers, and after how many accesses more each time.
const RETRIES: usize = 8;
const RETRY_STEP: u64 = 32;
/// How many accesses more than a whole run has are tried: those of a store that is closed in order.
const CLOSING: u64 = 16;

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
/// time that the store opens again, has everything that it answered, and can be written to as if nothing had happened. The
/// power is cut, too, while it opens, at first on an empty disk and later when it recovers, and while it is closed in order.
///
/// In a run, one caller does all that can be done with a store; in another one, four callers write at the same time, each in
/// a mesh of its own. Returns how many accesses both had.
pub async fn crashes<D: Disk>(disk: impl Fn() -> D, seed: u64) -> Result<u64, String> {
    after_each_access("power cut", seed, CLOSING, async |accesses, mut run| {
        let (disk, mut rng) = (disk(), Rng::with_seed(seed ^ accesses));
        disk.fail_after(Some(accesses));
        // A store that could not be opened has answered nothing.
        let complete = match disk.open() {
            Ok(store) => run.go_on(&Arc::new(store)).await?,
            Err(_) => false,
        };
        disk.cut(rng.u64(..));
        for accesses in retries(&mut rng) {
            disk.fail_after(Some(accesses));
            if disk.open().is_ok() {
                break;
            }
            disk.cut(rng.u64(..));
        }
        disk.fail_after(None);
        run.recover(&Arc::new(disk.open()?)).await?;
        Ok(complete)
    })
    .await
}

/// Lets the disk fail after the first access, after the second, and so on, for a while (it is full, say), and checks each
/// time that the same store works again afterwards and has everything that it answered. The disk fails again while it
/// recovers; a store that could not be opened at first is opened once more.
///
/// The runs are those of [`crashes`].
pub async fn failures<D: Disk>(disk: impl Fn() -> D, seed: u64) -> Result<u64, String> {
    after_each_access("failing", seed, 0, async |accesses, mut run| {
        let (disk, mut rng) = (disk(), Rng::with_seed(seed ^ accesses));
        disk.fail_after(Some(accesses));
        let (store, complete) = if let Ok(store) = disk.open() {
            let store = Arc::new(store);
            let complete = run.go_on(&store).await?;
            (store, complete)
        } else {
            disk.fail_after(None);
            (Arc::new(disk.open()?), false)
        };
        for accesses in retries(&mut rng) {
            disk.fail_after(Some(accesses));
            if store.unclosed().await.is_ok() {
                break;
            }
        }
        disk.fail_after(None);
        run.recover(&store).await?;
        Ok(complete)
    })
    .await
}

/// After how many accesses the disk fails again when the store recovers: later each time, and not for ever.
fn retries(rng: &mut Rng) -> Vec<u64> {
    let mut accesses = 0;
    let later = |_| {
        accesses += rng.u64(0..RETRY_STEP);
        accesses
    };
    (0..RETRIES).map(later).collect()
}

/// Lets `trial` happen with 0 accesses that work, with 1, and so on, until it says that it was never disturbed, and with as
/// many as `more` beyond that.
async fn after_each_access(
    what: &str,
    seed: u64,
    more: u64,
    trial: impl AsyncFn(u64, Run) -> Result<bool, String>,
) -> Result<u64, String> {
    let mut sum = 0;
    for scopes in [&[Scope::ALONE][..], &Scope::APART] {
        let mut whole = None;
        for accesses in 0.. {
            let complete = trial(accesses, Run::new(scopes, seed)).await.map_err(|error| {
                format!("seed {seed}, {what} after {accesses} accesses, callers: {}: {error}", scopes.len())
            })?;
            if complete && accesses >= *whole.get_or_insert(accesses) + more {
                break;
            }
        }
        sum += whole.unwrap_or(0);
    }
    Ok(sum)
}

/// Random operations on a store, and on the models of it.
struct Run(Vec<Caller>);

struct Caller {
    scope: Scope,
    rng: Rng,
    model: Model,
    /// The operation in which the store failed.
    under_way: Option<Operation>,
}

impl Run {
    /// On an empty disk.
    fn new(scopes: &[Scope], seed: u64) -> Self {
        let caller = |(seed, scope): (u64, &Scope)| {
            let (rng, model) = (Rng::with_seed(seed), Model::new(KEEP_CLOSED));
            Caller { scope: *scope, rng, model, under_way: None }
        };
        Self((seed..).zip(scopes).map(caller).collect())
    }

    /// Lets all callers do more operations at the same time, each until the store fails. Returns whether it never did.
    async fn go_on(&mut self, store: &Arc<impl Store>) -> Result<bool, String> {
        let mut callers = JoinSet::new();
        for caller in std::mem::take(&mut self.0) {
            callers.spawn(caller.go_on(Arc::clone(store)));
        }
        self.0 = callers.join_all().await.into_iter().collect::<Result<_, _>>()?;
        Ok(self.0.iter().all(|caller| caller.under_way.is_none()))
    }

    /// Checks that the store has what it answered, now that the disk works again, and that it goes on from there: what was
    /// lost with the disk, like the number of the newest revision, may show only in what comes next.
    async fn recover(&mut self, store: &Arc<impl Store>) -> Verdict {
        self.check(&**store).await?;
        if !self.go_on(store).await? {
            return Err("it went on failing when the disk worked again".into());
        }
        self.check(&**store).await
    }

    /// Checks that the store has what the models have, and of the operations that were under way all or nothing.
    async fn check(&mut self, store: &impl Store) -> Verdict {
        for caller in &mut self.0 {
            if let Some(operation) = caller.under_way.take() {
                let model = caller.model.after(store, &operation).await;
                caller.model = model.map_err(|difference| format!("{operation:?}: {}", difference.describe()))?;
            }
        }
        Model::merged(self.0.iter().map(|caller| caller.model.clone())).compare_everything(store).await
    }
}

impl Caller {
    async fn go_on(mut self, store: Arc<impl Store>) -> Result<Self, String> {
        for _ in 0..OPERATIONS {
            let operation = Operation::random(&mut self.rng, self.scope);
            match self.model.compare(&*store, &operation).await {
                Ok(()) => {}
                Err(Difference::Store(_)) => {
                    self.under_way = Some(operation);
                    break;
                }
                Err(Difference::Wrong(what)) => return Err(format!("{operation:?}: {what}")),
            }
        }
        Ok(self)
    }
}
