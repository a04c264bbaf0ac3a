//! The hooks that run.

use crate::hook::{Facts, Hook};
use release_core::{Generation, ReleaseKey, ReleaseSpec, Version};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

/// The hooks that run. A step that is asked for again joins the one that runs, instead of starting it over.
#[derive(Debug, Default)]
pub(super) struct Hooks(Arc<Mutex<HashMap<ReleaseKey, Running>>>);

type Running = watch::Receiver<Option<Result<(), String>>>;

impl Hooks {
    /// Has the workloads of the loser stopped, and returns when that is done.
    pub(super) async fn call(
        &self,
        tracker: &TaskTracker,
        hook: Hook,
        spec: &ReleaseSpec,
        loser: Version,
        generation: Generation,
    ) -> Result<(), String> {
        let facts = Facts::new(spec, loser, generation);
        let called = async move { hook.call(&facts).await.map_err(|error| error.to_string()) };
        self.run(tracker, &spec.key, called).await
    }

    async fn run(
        &self,
        tracker: &TaskTracker,
        key: &ReleaseKey,
        called: impl Future<Output = Result<(), String>> + Send + 'static,
    ) -> Result<(), String> {
        let mut running = self.join(tracker, key, called);
        match running.wait_for(Option::is_some).await {
            Ok(done) => done.clone().unwrap_or(Ok(())),
            Err(_) => Err("the retire hook broke off".to_owned()),
        }
    }

    fn join(
        &self,
        tracker: &TaskTracker,
        key: &ReleaseKey,
        called: impl Future<Output = Result<(), String>> + Send + 'static,
    ) -> Running {
        let mut hooks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = hooks.get(key) {
            return running.clone();
        }
        let (sender, receiver) = watch::channel(None);
        hooks.insert(key.clone(), receiver.clone());
        // It may be dropped at once.
        drop(hooks);
        let entry = Entry { hooks: Arc::clone(&self.0), key: key.clone() };
        tracker.spawn(async move {
            let done = called.await;
            drop(entry);
            sender.send_replace(Some(done));
        });
        receiver
    }
}

/// That a hook runs: over also when it breaks off, so that it can be called again.
struct Entry {
    hooks: Arc<Mutex<HashMap<ReleaseKey, Running>>>,
    key: ReleaseKey,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.hooks.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::{Hooks, ReleaseKey, TaskTracker};

    #[tokio::test]
    async fn one_that_breaks_off_is_called_again() {
        let (hooks, tracker) = (Hooks::default(), TaskTracker::new());
        let key = ReleaseKey::parse("mesh-1", "shop", "a").unwrap();
        let broken = hooks.run(&tracker, &key, async { panic!("as a test wants it") });
        assert_eq!(broken.await, Err("the retire hook broke off".to_owned()));
        assert_eq!(hooks.run(&tracker, &key, async { Ok(()) }).await, Ok(()));
    }
}
