//! Writes that failed and may have happened all the same.

use crate::backoff::Backoff;
use crate::driver::caught;
use crate::inner::Inner;
use crate::{Mesh, Store, StoreError};
use release_core::ReleaseKey;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::sleep;

/// The tasks of which it is not known what is in the store: a write of each failed, and may have happened all the same.
#[derive(Default)]
pub(crate) struct Doubts {
    keys: Mutex<BTreeSet<ReleaseKey>>,
    rung: Notify,
}

impl Doubts {
    /// Has a task looked at.
    pub(crate) fn ring(&self, key: ReleaseKey) {
        self.keys().insert(key);
        self.rung.notify_one();
    }

    fn keys(&self) -> MutexGuard<'_, BTreeSet<ReleaseKey>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads what is in doubt, until the store answers, and makes known what is found.
pub(crate) async fn resolve<S: Store, M: Mesh>(inner: Arc<Inner<S, M>>) {
    let work = async {
        let mut backoff = Backoff::new(&inner.settings);
        loop {
            inner.doubts.rung.notified().await;
            sleep(backoff.pause()).await;
            // Taken before it is read: what is rung meanwhile is read again.
            let doubted = std::mem::take(&mut *inner.doubts.keys());
            let mut failed = false;
            for key in doubted {
                if let Err(error) = look(&inner, &key).await {
                    tracing::warn!(release = %key, %error, "what is in the store could not be read and is tried again");
                    inner.doubts.ring(key);
                    failed = true;
                }
                // A store may answer without waiting for anything: others have a turn too.
                yield_now().await;
            }
            if !failed {
                backoff.reset();
            }
        }
    };
    let _: Option<()> = inner.shutdown.run_until_cancelled(work).await;
}

async fn look<S: Store, M: Mesh>(inner: &Arc<Inner<S, M>>, key: &ReleaseKey) -> Result<(), StoreError> {
    // Counted before it is read: what fails meanwhile is looked into again.
    let doubtful = inner.ledger.doubtful(key);
    let loaded = caught(async { inner.store.load(key).await }).await;
    match loaded.unwrap_or_else(|panic| Err(StoreError::Failed(format!("it panicked: {panic}")))) {
        Ok(Some(stored)) => drop(inner.announce(&stored)),
        Ok(None) => {}
        Err(error @ StoreError::Failed(_)) => return Err(error),
        Err(error @ StoreError::Damaged { .. }) => tracing::error!(release = %key, %error, "a release can't be driven"),
    }
    inner.ledger.looked_into(key, doubtful);
    Ok(())
}
