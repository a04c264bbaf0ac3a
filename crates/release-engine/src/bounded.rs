//! A store that is asked with a limit.

use crate::event::Listener;
use crate::{Event, Store, StoreError, Stored};
use release_core::{MeshId, ReleaseKey};
use std::future::Future;
use std::time::Duration;
use tokio::time::timeout;

/// A store whose reads fail when they have no answer in time: nobody waits for one that hangs. Writes are not given up,
/// only the wait for them: see [`Inner::write`](crate::inner::Inner::write).
pub(crate) struct Bounded<S> {
    pub(crate) store: S,
    pub(crate) limit: Duration,
    pub(crate) listener: Listener,
}

/// The error of a call that had no answer after that time.
pub(crate) fn no_answer(after: Duration) -> StoreError {
    StoreError::Failed(format!("no answer within {} s", after.as_secs_f64()))
}

impl<S: Store> Bounded<S> {
    pub(crate) async fn load(&self, key: &ReleaseKey) -> Result<Option<Stored>, StoreError> {
        self.within(self.store.load(key)).await
    }

    pub(crate) async fn list(&self, mesh: &MeshId) -> Result<Vec<Stored>, StoreError> {
        self.within(self.store.list(mesh)).await
    }

    pub(crate) async fn unclosed(&self) -> Result<Vec<ReleaseKey>, StoreError> {
        self.within(self.store.unclosed()).await
    }

    async fn within<T>(&self, call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let answer = timeout(self.limit, call).await.unwrap_or_else(|_| Err(no_answer(self.limit)));
        answer.inspect_err(|error| self.listener.tell(Event::StoreFailed { error }))
    }
}
