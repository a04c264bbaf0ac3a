//! The suite finds what is wrong: stores and disks with a mistake each.

use crate::disk::SimulatedDisk;
use release_core::{MeshId, ReleaseKey};
use release_engine::{CreateError, Record, ReplaceError, Revision, Store, StoreError, Stored};
use release_store::{MemoryStore, RedbStore};
use release_testkit::conformance::store::{self, Disk};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mistake {
    /// Replaces whatever revision it finds.
    ReplacesBlindly,
    /// The same, but only if somebody else was faster by a hair.
    ComparesBeforeItWrites,
    /// Removes whatever revision it finds.
    RemovesBlindly,
    /// Lists closed tasks as unclosed ones.
    NothingIsClosed,
    /// Writes what is to be replaced also where there is nothing any more.
    Upserts,
    /// Does not list what it should.
    ListsTheFirstOnly,
}

struct Wrong(MemoryStore, Mistake);

impl Wrong {
    async fn revision(&self, key: &ReleaseKey, expected: Revision) -> Result<Revision, StoreError> {
        Ok(self.0.load(key).await?.map_or(expected, |stored| stored.revision))
    }
}

impl Store for Wrong {
    async fn create(&self, record: Record) -> Result<Revision, CreateError> {
        self.0.create(record).await
    }

    async fn load(&self, key: &ReleaseKey) -> Result<Option<Arc<Stored>>, StoreError> {
        self.0.load(key).await
    }

    async fn replace(&self, record: Record, expected: Revision) -> Result<Revision, ReplaceError> {
        let found = self.revision(record.task.key(), expected).await?;
        match self.1 {
            Mistake::ReplacesBlindly => self.0.replace(record, found).await,
            Mistake::ComparesBeforeItWrites if found == expected => {
                tokio::task::yield_now().await;
                let found = self.revision(record.task.key(), expected).await?;
                self.0.replace(record, found).await
            }
            Mistake::Upserts => match self.0.replace(record.clone(), expected).await {
                Err(ReplaceError::Lost) if self.0.load(record.task.key()).await?.is_none() => {
                    self.0.create(record).await.map_err(|_| ReplaceError::Lost)
                }
                answer => answer,
            },
            _ => self.0.replace(record, expected).await,
        }
    }

    async fn remove(&self, key: &ReleaseKey, expected: Revision) -> Result<(), ReplaceError> {
        let found = self.revision(key, expected).await?;
        self.0.remove(key, if self.1 == Mistake::RemovesBlindly { found } else { expected }).await
    }

    async fn list(&self, mesh: &MeshId) -> Result<Vec<Arc<Stored>>, StoreError> {
        let mut found = self.0.list(mesh).await?;
        if self.1 == Mistake::ListsTheFirstOnly {
            found.truncate(1);
        }
        Ok(found)
    }

    async fn unclosed(&self) -> Result<Vec<ReleaseKey>, StoreError> {
        let mut found = self.0.unclosed().await?;
        if self.1 == Mistake::NothingIsClosed {
            let all = self.0.list(&"mesh-1".parse().unwrap()).await?;
            found.extend(all.iter().map(|stored| stored.record.task.key().clone()));
            found.dedup();
        }
        Ok(found)
    }
}

#[tokio::test]
async fn a_wrong_store_is_found() {
    for mistake in [
        Mistake::ReplacesBlindly,
        Mistake::RemovesBlindly,
        Mistake::NothingIsClosed,
        Mistake::Upserts,
        Mistake::ListsTheFirstOnly,
    ] {
        let found = store::model(&Wrong(MemoryStore::keeping(2), mistake), 2, 1000, 1).await;
        assert!(found.is_err(), "{mistake:?}");
    }
    let found = store::model(&MemoryStore::keeping(1), 2, 1000, 1).await;
    assert!(found.is_err(), "it keeps too few");
    let found = store::races(Arc::new(Wrong(MemoryStore::new(), Mistake::ComparesBeforeItWrites))).await;
    assert!(found.is_err(), "it compares before it writes");
}

/// A disk that forgets everything when the power is cut.
#[derive(Default)]
struct Forgetful(std::cell::RefCell<SimulatedDisk>);

impl Disk for Forgetful {
    type Store = RedbStore;

    fn open(&self) -> Result<RedbStore, String> {
        self.0.borrow().open()
    }

    fn fail_after(&self, accesses: Option<u64>) {
        self.0.borrow().fail_after(accesses);
    }

    fn cut(&self, _: u64) {
        self.0.replace(SimulatedDisk::default());
    }
}

#[tokio::test]
async fn a_store_that_forgets_is_found() {
    let found = store::crashes(Forgetful::default, 1).await.unwrap_err();
    assert!(found.starts_with("seed 1, power cut after "), "{found}");
}

/// It answers before its sync is done.
#[tokio::test]
async fn a_store_that_answers_too_early_is_found() {
    for seed in 0..3 {
        let found = store::crashes(SimulatedDisk::hasty, seed).await.unwrap_err();
        assert!(found.contains("power cut after"), "{found}");
    }
}

/// What is wrong with a store after a power cut that took none of its records.
#[derive(Clone, Copy, Debug, PartialEq)]
enum After {
    /// Nothing.
    AsBefore,
    /// It counts its revisions from the beginning.
    CountsAnew,
    /// It can only be read.
    ReadOnly,
}

/// A disk that keeps everything, with a store that does what [`After`] says.
#[derive(Clone)]
struct Recovers {
    store: MemoryStore,
    after: After,
    /// How many accesses work before all fail. Each operation is one.
    left: Arc<Mutex<Option<u64>>>,
    /// The newest revision that the store beneath has given.
    newest: Arc<AtomicU64>,
    /// What that was when the power was cut.
    cut_at: Arc<Mutex<Option<u64>>>,
}

impl Recovers {
    fn new(after: After) -> Self {
        let (left, newest, cut_at) = (Arc::default(), Arc::default(), Arc::default());
        Self { store: MemoryStore::keeping(2), after, left, newest, cut_at }
    }

    fn read(&self) -> Result<(), StoreError> {
        match &mut *self.left.lock().unwrap() {
            None => Ok(()),
            Some(0) => Err(StoreError::Failed("no power".into())),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }

    fn write(&self) -> Result<(), StoreError> {
        if self.after == After::ReadOnly && self.cut_at.lock().unwrap().is_some() {
            return Err(StoreError::Failed("the store can only be read".into()));
        }
        self.read()
    }

    fn written(&self, revision: Revision) -> Revision {
        self.newest.fetch_max(revision.get(), Ordering::Relaxed);
        self.shown(revision)
    }

    /// The revision that the store says it is.
    fn shown(&self, revision: Revision) -> Revision {
        match *self.cut_at.lock().unwrap() {
            Some(before) if self.after == After::CountsAnew && revision.get() > before => {
                Revision::new(revision.get() - before)
            }
            _ => revision,
        }
    }

    fn show(&self, stored: Arc<Stored>) -> Arc<Stored> {
        let revision = self.shown(stored.revision);
        Arc::new(Stored { revision, ..Arc::unwrap_or_clone(stored) })
    }

    /// The revision that the store beneath has, if the one expected is what it shows.
    async fn beneath(&self, key: &ReleaseKey, expected: Revision) -> Result<Revision, ReplaceError> {
        let found = self.store.load(key).await?.ok_or(ReplaceError::Lost)?.revision;
        if self.shown(found) == expected { Ok(found) } else { Err(ReplaceError::Lost) }
    }
}

impl Store for Recovers {
    async fn create(&self, record: Record) -> Result<Revision, CreateError> {
        self.write()?;
        Ok(self.written(self.store.create(record).await?))
    }

    async fn load(&self, key: &ReleaseKey) -> Result<Option<Arc<Stored>>, StoreError> {
        self.read()?;
        Ok(self.store.load(key).await?.map(|stored| self.show(stored)))
    }

    async fn replace(&self, record: Record, expected: Revision) -> Result<Revision, ReplaceError> {
        self.write()?;
        let found = self.beneath(record.task.key(), expected).await?;
        Ok(self.written(self.store.replace(record, found).await?))
    }

    async fn remove(&self, key: &ReleaseKey, expected: Revision) -> Result<(), ReplaceError> {
        self.write()?;
        let found = self.beneath(key, expected).await?;
        self.store.remove(key, found).await
    }

    async fn list(&self, mesh: &MeshId) -> Result<Vec<Arc<Stored>>, StoreError> {
        self.read()?;
        Ok(self.store.list(mesh).await?.into_iter().map(|stored| self.show(stored)).collect())
    }

    async fn unclosed(&self) -> Result<Vec<ReleaseKey>, StoreError> {
        self.read()?;
        self.store.unclosed().await
    }
}

impl Disk for Recovers {
    type Store = Self;

    fn open(&self) -> Result<Self, String> {
        Ok(self.clone())
    }

    fn fail_after(&self, accesses: Option<u64>) {
        *self.left.lock().unwrap() = accesses;
    }

    fn cut(&self, _: u64) {
        *self.cut_at.lock().unwrap() = Some(self.newest.load(Ordering::Relaxed));
    }
}

#[tokio::test]
async fn a_store_that_does_not_go_on_after_a_power_cut_as_before_is_found() {
    let crashes = async |after| store::crashes(|| Recovers::new(after), 1).await;
    assert!(crashes(After::AsBefore).await.unwrap() > 20);
    let found = crashes(After::CountsAnew).await.unwrap_err();
    assert!(found.contains("is not greater than"), "{found}");
    let found = crashes(After::ReadOnly).await.unwrap_err();
    assert!(found.contains("it went on failing"), "{found}");
}
