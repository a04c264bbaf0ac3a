//! A thread for the engine.

use std::future::Future;
use std::io;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio_util::context::TokioContext;

/// A runtime of one thread. A takeover is a chain of commits, each of which wakes the task that goes on: among the threads
/// that serve requests it would go on in another one every time, and that takes longer than what it has to do. Nor does a
/// request that keeps those busy keep a takeover waiting.
///
/// What still runs on it when it is dropped ends there, as it does with a process: nothing is lost.
pub(super) struct EngineThread {
    handle: Handle,
    /// There until this is dropped.
    runtime: Option<Runtime>,
}

impl EngineThread {
    pub(super) fn start() -> io::Result<Self> {
        // Not one of the kind `current_thread`: that runs only while somebody waits in it.
        let runtime =
            Builder::new_multi_thread().worker_threads(1).thread_name("release-engine").enable_all().build()?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// What this future spawns, it spawns here.
    pub(super) fn wrap<F: Future>(&self, future: F) -> TokioContext<F> {
        TokioContext::new(future, self.handle.clone())
    }
}

impl Drop for EngineThread {
    /// Another runtime may drop it, whose threads must not wait.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
