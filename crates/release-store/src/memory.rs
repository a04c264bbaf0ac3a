//! A store that forgets everything when it is dropped.

use crate::KEEP_CLOSED;
use release_core::{Error, MeshId, Namespace, ReleaseKey, Service};
use release_engine::{CreateError, Record, ReplaceError, Revision, Store, StoreError, Stored};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A store that forgets everything when it is dropped. Clones are the same store.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use release_engine::Store;
/// use release_store::MemoryStore;
///
/// let store = MemoryStore::new();
/// assert!(store.unclosed().await.unwrap().is_empty());
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct MemoryStore {
    tables: Arc<Mutex<Tables>>,
    keep_closed: usize,
}

#[derive(Debug, Default)]
struct Tables {
    releases: BTreeMap<ReleaseKey, Arc<Stored>>,
    /// The unclosed task of each service.
    unclosed: BTreeMap<(MeshId, Namespace, Service), ReleaseKey>,
    /// The closed tasks, the oldest first.
    closed: BTreeMap<Revision, ReleaseKey>,
    /// The newest revision of any record.
    revision: u64,
}

impl MemoryStore {
    /// An empty store that keeps the newest [`KEEP_CLOSED`] closed tasks.
    pub fn new() -> Self {
        Self::keeping(KEEP_CLOSED)
    }

    /// An empty store that keeps that many closed tasks, the newest ones.
    pub fn keeping(keep_closed: usize) -> Self {
        Self { tables: Arc::default(), keep_closed }
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl Store for MemoryStore {
    async fn create(&self, record: Record) -> Result<Revision, CreateError> {
        let mut tables = self.tables();
        let key = record.task.key();
        if tables.releases.contains_key(key) {
            return Err(Error::ReleaseExists(Box::new(key.clone())).into());
        }
        if let Some(by) = tables.unclosed.get(&service(&record)) {
            let service = record.task.spec().service.clone();
            return Err(Error::ServiceBusy { service, by: Box::new(by.clone()) }.into());
        }
        Ok(tables.put(record, self.keep_closed))
    }

    async fn load(&self, key: &ReleaseKey) -> Result<Option<Arc<Stored>>, StoreError> {
        Ok(self.tables().releases.get(key).cloned())
    }

    async fn replace(&self, record: Record, expected: Revision) -> Result<Revision, ReplaceError> {
        let mut tables = self.tables();
        tables.take(record.task.key(), expected)?;
        Ok(tables.put(record, self.keep_closed))
    }

    async fn remove(&self, key: &ReleaseKey, expected: Revision) -> Result<(), ReplaceError> {
        self.tables().take(key, expected)
    }

    async fn list(&self, mesh: &MeshId) -> Result<Vec<Arc<Stored>>, StoreError> {
        let of_mesh = |stored: &&Arc<Stored>| stored.record.task.key().mesh == *mesh;
        Ok(self.tables().releases.values().filter(of_mesh).cloned().collect())
    }

    async fn unclosed(&self) -> Result<Vec<ReleaseKey>, StoreError> {
        Ok(self.tables().unclosed.values().cloned().collect())
    }
}

impl Tables {
    fn put(&mut self, record: Record, keep_closed: usize) -> Revision {
        self.revision += 1;
        let revision = Revision::new(self.revision);
        let key = record.task.key().clone();
        if record.task.phase().is_closed() {
            self.closed.insert(revision, key.clone());
        } else {
            self.unclosed.insert(service(&record), key.clone());
        }
        self.releases.insert(key, Arc::new(Stored { record, revision }));
        while self.closed.len() > keep_closed {
            if let Some((_, oldest)) = self.closed.pop_first() {
                self.releases.remove(&oldest);
            }
        }
        revision
    }

    /// Removes a record that still has that revision.
    fn take(&mut self, key: &ReleaseKey, expected: Revision) -> Result<(), ReplaceError> {
        let Some(stored) = self.releases.get(key).filter(|stored| stored.revision == expected) else {
            return Err(ReplaceError::Lost);
        };
        if stored.record.task.phase().is_closed() {
            self.closed.remove(&expected);
        } else {
            self.unclosed.remove(&service(&stored.record));
        }
        self.releases.remove(key);
        Ok(())
    }
}

/// What at most one unclosed task is about.
fn service(record: &Record) -> (MeshId, Namespace, Service) {
    let spec = record.task.spec();
    (spec.key.mesh.clone(), spec.key.namespace.clone(), spec.service.clone())
}
