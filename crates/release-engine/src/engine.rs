//! The engine, as its users see it.

use crate::backoff::after;
use crate::bounded::{Bounded, at_once, no_answer};
use crate::doubts::{self, Doubts};
use crate::event::Listener;
use crate::inner::Inner;
use crate::ledger::Ledger;
use crate::registry::Registry;
use crate::{CreateError, EngineError, Mesh, Record, ReplaceError, Settings, Store, StoreError, Stored};
use release_core::{Action, Change, Command, Error, MeshId, Mode, Phase, Plan, ReleaseKey, ReleaseSpec, ReleaseTask};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// Drives release tasks to their end. Cheap to clone; all clones are the same engine.
///
/// **Calling contract.** [`start`](Self::start) one engine per store and process. A method that answers `Ok` has stored
/// what it promises. Futures of this type may be dropped: what was accepted goes on, as long as there is a clone of the engine.
/// [`shutdown`](Self::shutdown) stops it; dropping the last clone stops it too, without waiting. Nothing is lost either way.
///
/// Everything runs on the tokio runtime in which `start` was called, one task per release that has a step to take: a
/// release that waits, and a caller that waits for it, cost nothing but memory.
pub struct Engine<S, M> {
    inner: Arc<Inner<S, M>>,
    /// Drivers have `inner`, too: this is for who uses the engine.
    stop: Arc<DropGuard>,
}

impl<S, M> Clone for Engine<S, M> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), stop: Arc::clone(&self.stop) }
    }
}

impl<S: Store, M: Mesh> Engine<S, M> {
    /// Starts an engine, and takes up again every task in the store that is not closed.
    ///
    /// Fails if one of them can't be read ([`StoreError::Damaged`]): the mesh would not learn what that one serves
    /// ([`Mesh::restore`]), so its proxies might be left without a route, or with an older one.
    pub async fn start(store: S, mesh: M, settings: Settings) -> Result<Self, StoreError> {
        let listener = Listener(Arc::clone(&settings.observer));
        let inner = Arc::new(Inner {
            ledger: Arc::new(Ledger::new(listener.clone())),
            store: Bounded { store, limit: settings.store_limit, listener },
            mesh,
            settings,
            registry: Registry::default(),
            runtime: Handle::current(),
            tracker: TaskTracker::new(),
            shutdown: CancellationToken::new(),
            doubts: Doubts::default(),
            failed_write: Mutex::default(),
        });
        let found = inner.unclosed().await?;
        let tasks: Vec<ReleaseTask> = found.iter().map(|stored| stored.record.task.clone()).collect();
        tracing::info!(unclosed = tasks.len(), "the engine starts");
        inner.mesh.restore(&tasks).await;
        for stored in &found {
            inner.ledger.found(stored);
            inner.announce(stored);
        }
        inner.spawn(doubts::resolve(Arc::clone(&inner)));
        let stop = Arc::new(inner.shutdown.clone().drop_guard());
        Ok(Self { inner, stop })
    }

    /// Creates a task; `metadata` is kept with it. The engine then makes sure that its grayscale version is ready.
    pub async fn create(&self, spec: ReleaseSpec, metadata: serde_json::Value) -> Result<Arc<Stored>, EngineError> {
        self.is_open()?;
        let task = ReleaseTask::new(spec)?;
        let record = Record { task, metadata, created: (self.inner.settings.now)(), closed: None };
        self.inner.create(record).await.map_err(|error| match error {
            CreateError::Refused(error) => error.into(),
            CreateError::Store(error) => error.into(),
        })
    }

    /// The task of that key, with its metadata; closed ones too, as long as the store keeps them.
    pub async fn get(&self, key: &ReleaseKey) -> Result<Arc<Stored>, EngineError> {
        self.inner.load(key).await
    }

    /// All tasks of a mesh, closed ones too, by namespace and id.
    pub async fn list(&self, mesh: &MeshId) -> Result<Vec<Arc<Stored>>, EngineError> {
        Ok(self.inner.store.list(mesh).await?)
    }

    /// All tasks that are not closed. For metrics: it reads each of them. One that can't be read is left out, with a line in
    /// the log; [`get`](Self::get) says why.
    pub async fn unclosed(&self) -> Result<Vec<Arc<Stored>>, EngineError> {
        let mut found = Vec::new();
        for key in self.inner.store.unclosed().await? {
            match self.inner.store.load(&key).await {
                Ok(stored) => found.extend(stored),
                Err(error @ StoreError::Damaged { .. }) => tracing::error!(release = %key, %error, "left out"),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(found)
    }

    /// What a delete would do: see [`ReleaseTask::plan`].
    pub async fn plan(&self, key: &ReleaseKey, action: Action, mode: Mode) -> Result<Plan, EngineError> {
        let stored = self.inner.load(key).await?;
        let record = &stored.record;
        record.task.plan(action, mode).map_err(|error| EngineError::Refused { error, closed: record.closed })
    }

    /// Records a command and returns; what it asks for is then done in the background.
    pub async fn command(&self, key: &ReleaseKey, command: Command) -> Result<Arc<Stored>, EngineError> {
        self.inner.modify(key, |record| record.task.command(command.clone())).await
    }

    /// Changes the metadata of a task that is not closed. `change` is called again, with what is stored by then, when somebody
    /// else was faster.
    pub async fn update(
        &self,
        key: &ReleaseKey,
        mut change: impl FnMut(&mut serde_json::Value) + Send,
    ) -> Result<Arc<Stored>, EngineError> {
        self.inner
            .modify(key, |record| {
                if let Phase::Closed(action) = record.task.phase() {
                    return Err(Error::Closed { key: Box::new(key.clone()), action });
                }
                let before = record.metadata.clone();
                change(&mut record.metadata);
                Ok(if record.metadata == before { Change::Unchanged } else { Change::Changed })
            })
            .await
    }

    /// Records a cancel or an end, and waits until the task is closed by it.
    ///
    /// When [`Settings::wait`] is over, or the engine is shut down, the answer is [`EngineError::NotFinished`], and the
    /// takeover goes on. When a cancel overtakes an end that is waiting here, the end is refused as if it had come later.
    pub async fn delete(&self, key: &ReleaseKey, action: Action, mode: Mode) -> Result<Arc<Stored>, EngineError> {
        let mut command = pin!(self.command(key, Command::Delete(action, mode)));
        // What is refused at once is not waited for.
        let at_hand = at_once(command.as_mut()).await.transpose()?;
        let deadline = after(Instant::now(), self.inner.settings.wait);
        let stored = match at_hand {
            Some(stored) => stored,
            // What was begun goes on: if the store comes back, the decision may be recorded all the same.
            None => timeout_at(deadline, command).await.map_err(|_| no_answer(self.inner.settings.wait))??,
        };
        // Large: there would be room for it in the future of what is refused, too.
        Box::pin(self.until_closed(key, action, stored, deadline)).await
    }

    /// Waits until a task is closed by an action that is recorded.
    async fn until_closed(
        &self,
        key: &ReleaseKey,
        action: Action,
        mut stored: Arc<Stored>,
        deadline: Instant,
    ) -> Result<Arc<Stored>, EngineError> {
        loop {
            let Some(mut outlook) = self.inner.announce(&stored) else {
                // Nobody drives it, since it has no step to take: it was closed, or reopened.
                return closed_by(action, &stored)?.ok_or_else(|| not_finished(action, &stored));
            };
            loop {
                stored = Arc::clone(&outlook.borrow_and_update());
                if let Some(stored) = closed_by(action, &stored)? {
                    return Ok(stored);
                }
                tokio::select! {
                    biased;
                    changed = outlook.changed() => if changed.is_err() { break },
                    () = self.inner.shutdown.cancelled() => return Err(not_finished(action, &outlook.borrow())),
                    () = sleep_until(deadline) => return Err(not_finished(action, &outlook.borrow())),
                }
            }
            stored = match timeout_at(deadline, self.inner.load(key)).await {
                Ok(Err(EngineError::Store(error))) => {
                    (self.inner.settings.span)()
                        .in_scope(|| tracing::warn!(release = %key, %error, "how far a release is could not be read"));
                    return Err(not_finished(action, &stored));
                }
                Ok(loaded) => loaded?,
                Err(_) => return Err(not_finished(action, &stored)),
            };
        }
    }

    /// Removes a closed task from the store, before the store drops it by itself. A task that is not closed stays.
    pub async fn forget(&self, key: &ReleaseKey) -> Result<bool, EngineError> {
        self.is_open()?;
        let stored = self.inner.load(key).await?;
        if !stored.record.task.phase().is_closed() {
            return Ok(false);
        }
        match self.inner.remove(key, stored.revision).await {
            // A closed task never changes: whoever was faster removed it.
            Ok(()) | Err(ReplaceError::Lost) => Ok(true),
            Err(ReplaceError::Store(error)) => Err(error.into()),
        }
    }

    /// How long ago a write failed, or had no answer in time, if none has succeeded since. For probes: the store is not called.
    ///
    /// What follows from it is for the embedder to say. A server that is not used because of it writes nothing either, unless
    /// a takeover is under way: so it should be given another try after some time.
    pub fn failed_write(&self) -> Option<Duration> {
        self.inner.failed_write.lock().unwrap_or_else(PoisonError::into_inner).map(|failed| failed.elapsed())
    }

    /// Stops: no more commands are taken, callers that wait are answered, and steps under way are dropped; the next start
    /// takes them up again. Writes that have begun are waited for. Returns whether all of that was done within `limit`.
    ///
    /// The store is not closed: it is dropped with the last clone of the engine, and with the last write that has not ended.
    pub async fn shutdown(&self, limit: Duration) -> bool {
        self.inner.shutdown.cancel();
        self.inner.tracker.close();
        timeout(limit, self.inner.tracker.wait()).await.is_ok()
    }

    fn is_open(&self) -> Result<(), EngineError> {
        if self.inner.shutdown.is_cancelled() { Err(EngineError::ShutDown) } else { Ok(()) }
    }
}

/// The task, if it was closed by `action`; an error, if it never will be.
fn closed_by(action: Action, stored: &Arc<Stored>) -> Result<Option<Arc<Stored>>, EngineError> {
    let record = &stored.record;
    match record.task.phase() {
        Phase::Closed(by) if by == action => Ok(Some(Arc::clone(stored))),
        Phase::Closing(by, _) if by == action => Ok(None),
        // Another action is under way, or none: refused as a delete now would be. One that could begin was reopened.
        _ => match record.task.clone().command(Command::Delete(action, Mode::Perform)) {
            Ok(_) => Err(EngineError::Reopened { action }),
            Err(error) => Err(EngineError::Refused { error, closed: record.closed }),
        },
    }
}

fn not_finished(action: Action, stored: &Stored) -> EngineError {
    let task = &stored.record.task;
    EngineError::NotFinished { action, phase: task.phase(), failure: task.failure() }
}
