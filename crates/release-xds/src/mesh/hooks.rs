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
        let mut running = self.join(tracker, hook, &spec.key, Facts::new(spec, loser, generation));
        match running.wait_for(Option::is_some).await {
            Ok(done) => done.clone().unwrap_or(Ok(())),
            Err(_) => Err("the retire hook broke off".to_owned()),
        }
    }

    fn join(&self, tracker: &TaskTracker, hook: Hook, key: &ReleaseKey, facts: Facts) -> Running {
        let mut hooks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = hooks.get(key) {
            return running.clone();
        }
        let (sender, receiver) = watch::channel(None);
        hooks.insert(key.clone(), receiver.clone());
        let (key, hooks) = (key.clone(), Arc::clone(&self.0));
        tracker.spawn(async move {
            let called = hook.call(&facts).await.map_err(|error| error.to_string());
            hooks.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
            sender.send_replace(Some(called));
        });
        receiver
    }
}
