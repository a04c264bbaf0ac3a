//! A store that answers in bounded time.

use crate::{CreateError, Record, ReplaceError, Revision, Store, StoreError, Stored};
use release_core::{MeshId, ReleaseKey};
use std::future::Future;
use std::time::Duration;
use tokio::time::timeout;

/// A store each of whose calls fails when it has no answer in time: nobody waits for one that hangs.
pub(crate) struct Bounded<S> {
    pub(crate) store: S,
    pub(crate) limit: Duration,
}

impl<S> Bounded<S> {
    async fn within<T, E: From<StoreError>>(&self, call: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        timeout(self.limit, call).await.unwrap_or_else(|_| Err(no_answer(self.limit).into()))
    }
}

/// The error of a call that was given up after that time.
pub(crate) fn no_answer(after: Duration) -> StoreError {
    StoreError::Failed(format!("no answer within {} s", after.as_secs_f64()))
}

impl<S: Store> Store for Bounded<S> {
    async fn create(&self, record: Record) -> Result<Revision, CreateError> {
        self.within(self.store.create(record)).await
    }

    async fn load(&self, key: &ReleaseKey) -> Result<Option<Stored>, StoreError> {
        self.within(self.store.load(key)).await
    }

    async fn replace(&self, record: Record, expected: Revision) -> Result<Revision, ReplaceError> {
        self.within(self.store.replace(record, expected)).await
    }

    async fn remove(&self, key: &ReleaseKey, expected: Revision) -> Result<(), ReplaceError> {
        self.within(self.store.remove(key, expected)).await
    }

    async fn list(&self, mesh: &MeshId) -> Result<Vec<Stored>, StoreError> {
        self.within(self.store.list(mesh)).await
    }

    async fn unclosed(&self) -> Result<Vec<ReleaseKey>, StoreError> {
        self.within(self.store.unclosed()).await
    }
}
