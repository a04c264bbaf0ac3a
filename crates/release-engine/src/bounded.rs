//! A store that is asked with a limit.

use crate::event::Listener;
use crate::{Event, Store, StoreError, Stored};
use release_core::{MeshId, ReleaseKey};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
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

/// The answer, if it is at hand: then there is no need for a timer.
pub(crate) async fn at_once<F: Future>(mut call: Pin<&mut F>) -> Option<F::Output> {
    poll_fn(|context| match call.as_mut().poll(context) {
        Poll::Ready(answer) => Poll::Ready(Some(answer)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

impl<S: Store> Bounded<S> {
    pub(crate) async fn load(&self, key: &ReleaseKey) -> Result<Option<Arc<Stored>>, StoreError> {
        self.within(pin!(self.store.load(key))).await
    }

    pub(crate) async fn list(&self, mesh: &MeshId) -> Result<Vec<Arc<Stored>>, StoreError> {
        self.within(pin!(self.store.list(mesh))).await
    }

    pub(crate) async fn unclosed(&self) -> Result<Vec<ReleaseKey>, StoreError> {
        self.within(pin!(self.store.unclosed())).await
    }

    /// Pinned by who calls it: given by value, there would be room for it here once more.
    async fn within<T>(
        &self,
        mut call: Pin<&mut impl Future<Output = Result<T, StoreError>>>,
    ) -> Result<T, StoreError> {
        let answer = match at_once(call.as_mut()).await {
            Some(answer) => answer,
            None => timeout(self.limit, call).await.unwrap_or_else(|_| Err(no_answer(self.limit))),
        };
        answer.inspect_err(|error| self.listener.tell(Event::StoreFailed { error }))
    }
}
