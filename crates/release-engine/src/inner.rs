//! What the engine's handles and drivers share.

use crate::bounded::{Bounded, no_answer};
use crate::doubts::Doubts;
use crate::ledger::{Ledger, Writing};
use crate::registry::{Announced, Outlook, Registry};
use crate::{
    CreateError, EngineError, Event, Mesh, Record, ReplaceError, Revision, Settings, Store, StoreError, Stored, driver,
};
use release_core::{Change, Error, Phase, ReleaseKey};
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

pub(crate) struct Inner<S, M> {
    pub(crate) store: Bounded<S>,
    pub(crate) mesh: M,
    pub(crate) settings: Settings,
    pub(crate) registry: Registry,
    /// Where tasks are spawned: a caller's runtime may be another one, and end.
    pub(crate) runtime: Handle,
    /// Everything that was spawned.
    pub(crate) tracker: TaskTracker,
    pub(crate) shutdown: CancellationToken,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) doubts: Doubts,
    /// When a write failed last, unless one has succeeded since.
    pub(crate) failed_write: Mutex<Option<Instant>>,
}

impl<S: Store, M: Mesh> Inner<S, M> {
    /// The record of that key, or the error that there is none.
    pub(crate) async fn load(&self, key: &ReleaseKey) -> Result<Arc<Stored>, EngineError> {
        let unknown = || Error::UnknownRelease(Box::new(key.clone()));
        Ok(self.store.load(key).await?.ok_or_else(unknown)?)
    }

    /// Makes a version known that is in the store, and has the task driven if there is a step to take. Then its outlook, for
    /// who waits for its end.
    pub(crate) fn announce(self: &Arc<Self>, stored: &Arc<Stored>) -> Option<Outlook> {
        self.ledger.saw(stored);
        match self.registry.announce(stored) {
            Announced::Told(outlook) => Some(outlook),
            Announced::Idle => None,
            Announced::DriverNeeded { newest, nudged, outlook } => {
                let key = stored.record.task.key().clone();
                self.spawn(driver::run(Arc::clone(self), key, newest, nudged));
                Some(outlook)
            }
        }
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn_on(task, &self.runtime);
    }

    /// Adds a record and has it driven.
    pub(crate) async fn create(self: &Arc<Self>, record: Record) -> Result<Arc<Stored>, CreateError> {
        let writing = self.ledger.begin_to_create(record.task.key())?;
        let inner = Arc::clone(self);
        let created = self.write(writing, async move {
            match inner.store.store.create(record.clone()).await {
                Ok(revision) => Ok(Ok(inner.written(record, revision))),
                Err(CreateError::Refused(error)) => Ok(Err(error)),
                Err(CreateError::Store(error)) => Err(error),
            }
        });
        Ok(created.await??)
    }

    /// Changes a record, again and again until nobody else changes it at the same time.
    pub(crate) async fn modify(
        self: &Arc<Self>,
        key: &ReleaseKey,
        mut change: impl FnMut(&mut Record) -> Result<Change, Error> + Send,
    ) -> Result<Arc<Stored>, EngineError> {
        loop {
            let stored = self.load(key).await?;
            // Most often nobody else has it.
            let Stored { mut record, revision } = Arc::unwrap_or_clone(stored);
            let from = record.task.phase();
            if self.shutdown.is_cancelled() {
                return Err(EngineError::ShutDown);
            }
            match change(&mut record) {
                Err(error) => return Err(EngineError::Refused { error, closed: record.closed }),
                Ok(Change::Unchanged) => {
                    let stored = Arc::new(Stored { record, revision });
                    self.announce(&stored);
                    // Who asks again may know that what the mesh lacked is there.
                    self.registry.nudge(key);
                    return Ok(stored);
                }
                Ok(Change::Changed) => {}
            }
            // Large, and most calls write nothing: in the future of each there would be room for it.
            match Box::pin(self.replace(record, revision, from)).await {
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
        let writing = self.ledger.begin(record.task.key())?;
        let inner = Arc::clone(self);
        let replaced = self.write(writing, async move {
            match inner.store.store.replace(record.clone(), expected).await {
                Ok(revision) => {
                    inner.ledger.replaced(record.task.key(), expected, from);
                    Ok(Some(inner.written(record, revision)))
                }
                Err(ReplaceError::Lost) => Ok(None),
                Err(ReplaceError::Store(error)) => Err(error),
            }
        });
        replaced.await?.ok_or(ReplaceError::Lost)
    }

    /// Removes a record, unless somebody else changed or removed it.
    pub(crate) async fn remove(self: &Arc<Self>, key: &ReleaseKey, expected: Revision) -> Result<(), ReplaceError> {
        let writing = self.ledger.begin(key)?;
        let (inner, key) = (Arc::clone(self), key.clone());
        let removed = self.write(writing, async move {
            match inner.store.store.remove(&key, expected).await {
                Ok(()) => {
                    inner.note_write(None);
                    Ok(true)
                }
                Err(ReplaceError::Lost) => Ok(false),
                Err(ReplaceError::Store(error)) => Err(error),
            }
        });
        if removed.await? { Ok(()) } else { Err(ReplaceError::Lost) }
    }

    fn written(self: &Arc<Self>, record: Record, revision: Revision) -> Arc<Stored> {
        self.note_write(None);
        let stored = Arc::new(Stored { record, revision });
        self.announce(&stored);
        stored
    }

    fn note_write(&self, failed: Option<Instant>) {
        *self.failed_write.lock().unwrap_or_else(PoisonError::into_inner) = failed;
    }

    /// All unclosed tasks, for a start. Fails over one that can't be read.
    pub(crate) async fn unclosed(&self) -> Result<Vec<Arc<Stored>>, StoreError> {
        let mut found = Vec::new();
        for key in self.store.unclosed().await? {
            found.extend(self.store.load(&key).await?);
        }
        Ok(found)
    }

    /// Writes to the end, also when the caller goes away in the middle, and when the store takes longer than anybody waits
    /// for it: what was begun may land at any time, so what follows from it belongs to `work`. Answers within the limit.
    fn write<T: Send + 'static, W>(
        self: &Arc<Self>,
        mut writing: Writing,
        work: W,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + use<T, W, S, M>
    where
        W: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let (inner, (reply, answer)) = (Arc::clone(self), oneshot::channel());
        let task = async move {
            let mut work = pin!(driver::caught(work));
            let (key, limit) = (writing.key().clone(), inner.store.limit);
            let mut reply = Some(reply);
            let mut answer = |answer: Result<T, StoreError>| {
                if let Err(error) = &answer {
                    inner.note_write(Some(Instant::now()));
                    inner.store.listener.tell(Event::StoreFailed { error });
                }
                // A caller that went away does not want its answer.
                reply.take().map(|reply| reply.send(answer).is_ok())
            };
            let ended = if let Ok(ended) = timeout(limit, &mut work).await {
                ended
            } else {
                writing.mark_late();
                tracing::warn!(release = %key, "a write has had no answer in time; it may still happen");
                answer(Err(no_answer(limit)));
                work.await
            };
            let ended = ended.unwrap_or_else(|panic| Err(StoreError::Failed(format!("it panicked: {panic}"))));
            if ended.is_err() {
                writing.mark_doubtful();
                inner.doubts.ring(key);
            }
            drop(writing);
            answer(ended);
        };
        // What is logged on the way belongs to the caller's request.
        self.spawn(task.instrument((self.settings.span)()));
        async { answer.await.unwrap_or_else(|_| Err(StoreError::Failed("the write broke off".into()))) }
    }
}
