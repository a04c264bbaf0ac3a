//! Drives one task until there is nothing to do for it.

use crate::backoff::{Backoff, after};
use crate::inner::Inner;
use crate::registry::Newest;
use crate::{Cause, Event, Mesh, ReplaceError, Store, StoreError, Stored};
use release_core::{Change, ReleaseKey, Report, Step};
use std::any::Any;
use std::future::{Future, pending, poll_fn};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::Instrument as _;

/// Drives a task, whatever panics on the way.
pub(crate) async fn run<S: Store, M: Mesh>(
    inner: Arc<Inner<S, M>>,
    key: ReleaseKey,
    newest: Newest,
    nudged: Arc<Notify>,
) {
    let mut backoff = Backoff::new(&inner.settings);
    while let Err(panic) = caught(drive(&inner, &key, newest.clone(), &nudged)).await {
        // Cloned: who announces something would wait for the log.
        let span = newest.borrow().span.clone();
        span.in_scope(
            || tracing::error!(release = %key, %panic, "a driver panicked and is started anew after a pause"),
        );
        if rest(&inner, &nudged, backoff.pause()).await.is_break() {
            return;
        }
    }
}

/// Lets a pause pass, unless somebody asks again. It breaks when the engine is shut down.
async fn rest<S, M>(inner: &Inner<S, M>, nudged: &Notify, pause: Duration) -> ControlFlow<()> {
    tokio::select! {
        biased;
        () = inner.shutdown.cancelled() => ControlFlow::Break(()),
        () = nudged.notified() => ControlFlow::Continue(()),
        () = sleep(pause) => ControlFlow::Continue(()),
    }
}

/// Takes the steps of a task, one after the other, until there is none to take or the engine is shut down.
async fn drive<S: Store, M: Mesh>(inner: &Arc<Inner<S, M>>, key: &ReleaseKey, newest: Newest, nudged: &Notify) {
    let backoff = Backoff::new(&inner.settings);
    let mut driver = Driver { inner, key, newest, nudged, backoff, stale: true, failing: None };
    loop {
        let span = driver.newest.borrow().span.clone();
        if driver.turn().instrument(span).await.is_break() {
            return;
        }
    }
}

/// What a driver knows from one turn to the next.
struct Driver<'a, S, M> {
    inner: &'a Arc<Inner<S, M>>,
    key: &'a ReleaseKey,
    newest: Newest,
    /// Ends a pause.
    nudged: &'a Notify,
    backoff: Backoff,
    /// Another process may have moved the task on: what is known may be old at the start and after each pause.
    stale: bool,
    /// The step that did not succeed the last time. The pauses grow while it is the same.
    failing: Option<Step>,
}

impl<S: Store, M: Mesh> Driver<'_, S, M> {
    /// Tries to take one step. It breaks if there is none to take, or the engine is shut down.
    async fn turn(&mut self) -> ControlFlow<()> {
        let Self { inner, key, .. } = *self;
        if self.stale {
            self.newest.mark_unchanged();
            let reloaded = tokio::select! {
                biased;
                () = inner.shutdown.cancelled() => return ControlFlow::Break(()),
                reloaded = reload(inner, key) => reloaded,
            };
            match reloaded {
                Ok(true) => self.stale = false,
                // If it was created again meanwhile, that is news.
                Ok(false) => return self.leave(),
                Err(error) => {
                    tracing::warn!(release = %key, %error, "a release could not be loaded and is tried again");
                    return rest(inner, self.nudged, self.backoff.pause()).await;
                }
            }
        }
        let stored = self.known();
        let Some(step) = stored.record.task.next_step() else { return self.leave() };
        if self.failing.as_ref() != Some(&step) {
            self.backoff.reset();
        }
        let started = Instant::now();
        let answer = tokio::select! {
            biased;
            () = inner.shutdown.cancelled() => return ControlFlow::Break(()),
            () = superseded(&mut self.newest, &step) => return ControlFlow::Continue(()),
            answer = attempt(inner, &stored, &step) => answer,
        };
        let stored = self.known();
        if stored.record.task.next_step().as_ref() != Some(&step) {
            // News that came with the answer. It must not wait for a pause.
            return ControlFlow::Continue(());
        }
        match take_in(inner, &stored, answer).await {
            Tried::Moved => self.failing = None,
            // The step may be the same as before: then its failures still count.
            Tried::Lost => self.stale = true,
            Tried::Failed => {
                // From the start of the try: a mesh that waited, and says what for, has paused already.
                let end = after(started, self.backoff.pause());
                tokio::select! {
                    biased;
                    () = inner.shutdown.cancelled() => return ControlFlow::Break(()),
                    () = superseded(&mut self.newest, &step) => {}
                    () = self.nudged.notified() => {}
                    () = sleep_until(end) => {}
                }
                (self.stale, self.failing) = (true, Some(step));
            }
        }
        ControlFlow::Continue(())
    }

    /// The newest version that is known.
    fn known(&mut self) -> Arc<Stored> {
        Arc::clone(&self.newest.borrow_and_update().stored)
    }

    /// Ends the driver, unless there is news.
    fn leave(&self) -> ControlFlow<()> {
        if self.inner.registry.release(self.key, &self.newest) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

/// What came of a try to take a step.
enum Tried {
    /// The task moved on.
    Moved,
    /// Somebody else moved the task on.
    Lost,
    /// The step, or storing what came of it, is to be tried again after a pause.
    Failed,
}

/// Makes known what is in the store. `false` if there is nothing any more.
async fn reload<S: Store, M: Mesh>(inner: &Arc<Inner<S, M>>, key: &ReleaseKey) -> Result<bool, StoreError> {
    let stored = inner.store.load(key).await?;
    Ok(stored.map(|stored| inner.announce(&stored)).is_some())
}

/// Returns as soon as `step` is not the one to take any more.
async fn superseded(newest: &mut Newest, step: &Step) {
    while newest.changed().await.is_ok() {
        if newest.borrow_and_update().stored.record.task.next_step().as_ref() != Some(step) {
            return;
        }
    }
    pending::<()>().await;
}

/// What a report came from, for those who count failures, and the report.
type Answer = (Cause, Report);

/// Has the mesh perform a step, and makes sure that there is an answer, and that it answers this step.
async fn attempt<S: Store, M: Mesh>(inner: &Inner<S, M>, stored: &Stored, step: &Step) -> Answer {
    let limit = inner.settings.step_limit;
    // In a block, so that what panics before there is a future is caught too.
    let performed = caught(async { inner.mesh.perform(stored.record.task.spec(), step).await });
    let (cause, reason) = match timeout(limit, performed).await {
        Ok(Ok(report)) if report.step() == step.kind() && report.generation() == step.generation() => {
            return (Cause::Mesh, report);
        }
        Ok(Ok(report)) => {
            let answered =
                format!("the mesh adapter answered another step ({}, {})", report.step(), report.generation());
            (Cause::WrongAnswer, answered)
        }
        Ok(Err(panic)) => (Cause::Panic, format!("the mesh adapter panicked: {panic}")),
        Err(_) => (Cause::NoAnswer, format!("no answer within {} s; started over", limit.as_secs_f64())),
    };
    (cause, step.failed(reason))
}

/// Takes in what came of a step, and stores the task if that changed it.
async fn take_in<S: Store, M: Mesh>(inner: &Arc<Inner<S, M>>, stored: &Stored, (cause, report): Answer) -> Tried {
    let (mut record, from) = (stored.record.clone(), stored.record.task.phase());
    let key = record.task.key().clone();
    let failed = if let Report::Failed { step, reason, .. } = &report {
        tracing::warn!(release = %key, %step, %reason, "a step did not succeed and is tried again");
        inner.store.listener.tell(Event::Failed { key: &key, step: *step, cause, reason: reason.as_str() });
        true
    } else {
        false
    };
    let again = if failed { Tried::Failed } else { Tried::Moved };
    match record.task.report(report) {
        Ok(Change::Changed) => {}
        // The same failure as before is in the store already; a late answer is none.
        Ok(Change::Unchanged) => return again,
        Err(unexpected) => {
            tracing::error!(release = %key, %unexpected, "a report can't be true");
            return Tried::Failed;
        }
    }
    if record.task.phase().is_closed() {
        record.closed = Some((inner.settings.now)());
    }
    match inner.replace(record, stored.revision, from).await {
        Ok(_) => again,
        Err(ReplaceError::Lost) => Tried::Lost,
        Err(ReplaceError::Store(error)) => {
            tracing::warn!(release = %key, %error, "what came of a step could not be stored; it is taken again");
            Tried::Failed
        }
    }
}

/// Turns a panic of a future into an error with its message.
pub(crate) async fn caught<T>(future: impl Future<Output = T>) -> Result<T, String> {
    let mut future = pin!(future);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(panic) => Poll::Ready(Err(message(&*panic))),
    })
    .await
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("without a message").to_owned()
}
