//! What the engine's handles and drivers share.

use crate::bounded::Bounded;
use crate::registry::{Announced, Newest, Registry};
use crate::{
    CreateError, EngineError, Event, Mesh, Record, ReplaceError, Revision, Settings, Store, StoreError, Stored, driver,
};
use release_core::{Change, Error, Phase, ReleaseKey};
use std::future::Future;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

pub(crate) struct Inner<S, M> {
    pub(crate) store: Bounded<S>,
    pub(crate) mesh: M,
    pub(crate) settings: Settings,
    pub(crate) registry: Registry,
    /// Everything that was spawned.
    pub(crate) tracker: TaskTracker,
    pub(crate) shutdown: CancellationToken,
    /// A write failed that may have happened all the same: look for tasks that nobody drives.
    pub(crate) doubt: Notify,
}

impl<S: Store, M: Mesh> Inner<S, M> {
    /// The record of that key, or the error that there is none.
    pub(crate) async fn load(&self, key: &ReleaseKey) -> Result<Stored, EngineError> {
        let unknown = || Error::UnknownRelease(Box::new(key.clone()));
        Ok(self.store.load(key).await?.ok_or_else(unknown)?)
    }

    /// Makes a version known that is in the store, and has the task driven if there is a step to take.
    pub(crate) fn announce(self: &Arc<Self>, stored: &Arc<Stored>) -> Option<Newest> {
        match self.registry.announce(stored) {
            Announced::Told(newest) => Some(newest),
            Announced::Idle => None,
            Announced::DriverNeeded(newest) => {
                let (inner, key) = (Arc::clone(self), stored.record.task.key().clone());
                let driver = driver::drive(Arc::clone(self), key.clone(), newest.clone());
                self.tracker.spawn(async move {
                    if let Err(panic) = driver::caught(driver).await {
                        tracing::error!(release = %key, %panic, "a driver panicked and is started anew");
                        inner.registry.forget(&key);
                        inner.doubt.notify_one();
                    }
                });
                Some(newest)
            }
        }
    }

    /// Adds a record and has it driven.
    pub(crate) async fn create(self: &Arc<Self>, record: Record) -> Result<Arc<Stored>, CreateError> {
        let inner = Arc::clone(self);
        self.to_the_end(async move {
            let revision = inner.store.create(record.clone()).await.inspect_err(|error| match error {
                CreateError::Refused(_) => {}
                CreateError::Store(_) => inner.doubt.notify_one(),
            })?;
            (inner.settings.observer)(Event::Created { key: record.task.key() });
            let stored = Arc::new(Stored { record, revision });
            inner.announce(&stored);
            Ok(stored)
        })
        .await?
    }

    /// Changes a record, again and again until nobody else changes it at the same time.
    pub(crate) async fn modify(
        self: &Arc<Self>,
        key: &ReleaseKey,
        mut change: impl FnMut(&mut Record) -> Result<Change, Error> + Send,
    ) -> Result<Arc<Stored>, EngineError> {
        loop {
            let Stored { mut record, revision } = self.load(key).await?;
            let from = record.task.phase();
            if self.shutdown.is_cancelled() {
                return Err(EngineError::ShutDown);
            }
            match change(&mut record) {
                Err(error) => return Err(EngineError::Refused { error, closed: record.closed }),
                Ok(Change::Unchanged) => {
                    let stored = Arc::new(Stored { record, revision });
                    self.announce(&stored);
                    return Ok(stored);
                }
                Ok(Change::Changed) => {}
            }
            let inner = Arc::clone(self);
            match self.to_the_end(async move { inner.replace(record, revision, from).await }).await? {
                Ok(stored) => return Ok(stored),
                Err(ReplaceError::Lost) => {}
                Err(ReplaceError::Store(error)) => return Err(error.into()),
            }
        }
    }

    /// Stores a changed record if nobody else changed it, and has it driven. `from` is the phase it was in.
    pub(crate) async fn replace(
        self: &Arc<Self>,
        record: Record,
        expected: Revision,
        from: Phase,
    ) -> Result<Arc<Stored>, ReplaceError> {
        let revision = self.store.replace(record.clone(), expected).await.inspect_err(|error| match error {
            ReplaceError::Lost => {}
            ReplaceError::Store(_) => self.doubt.notify_one(),
        })?;
        let (key, to) = (record.task.key(), record.task.phase());
        if from != to {
            tracing::info!(release = %key, %from, %to, "a release moved");
            (self.settings.observer)(Event::Moved { key, from, to });
        }
        let stored = Arc::new(Stored { record, revision });
        self.announce(&stored);
        Ok(stored)
    }

    /// Finds the unclosed tasks that nobody drives. One that can't be read is left out, loudly: the others must go on.
    pub(crate) async fn find_undriven(&self) -> Result<Vec<Arc<Stored>>, StoreError> {
        let mut found = Vec::new();
        for key in self.store.unclosed().await? {
            if self.registry.is_driven(&key) {
                continue;
            }
            match self.store.load(&key).await {
                Ok(stored) => found.extend(stored.map(Arc::new)),
                Err(error @ StoreError::Failed(_)) => return Err(error),
                Err(error @ StoreError::Damaged { .. }) => {
                    tracing::error!(release = %key, %error, "a release can't be driven");
                }
            }
        }
        Ok(found)
    }

    /// Does something to its end, also when the caller goes away in the middle.
    async fn to_the_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, StoreError> {
        // What is logged on the way belongs to the caller's request.
        let ended = self.tracker.spawn(work.in_current_span()).await;
        ended.map_err(|error| StoreError::Failed(format!("the operation broke off: {error}")))
    }
}
