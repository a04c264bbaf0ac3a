//! Raw redb on a thread of its own: what it costs by itself that a disk that hangs must not block a runtime.

use crate::closes::raw_commit;
use anyhow::{Context as _, Result};
use redb::Database;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Instant;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

/// A thread that commits, and a runtime like the server's whose tasks ask for it.
pub(crate) struct HandedOver {
    commits: Sender<Commit>,
    /// There until this is dropped.
    runtime: Option<Runtime>,
}

struct Commit {
    state: Vec<u8>,
    id: String,
    closed: bool,
    done: oneshot::Sender<Result<()>>,
}

impl HandedOver {
    pub(crate) fn start(database: Database) -> Result<Self> {
        let (commits, asked) = channel::<Commit>();
        thread::Builder::new().spawn(move || {
            while let Ok(Commit { state, id, closed, done }) = asked.recv() {
                // Who asked is there until it is answered.
                let _ = done.send(raw_commit(&database, &state, &id, closed, true));
            }
        })?;
        Ok(Self { commits, runtime: Some(Builder::new_multi_thread().enable_all().build()?) })
    }

    /// How long a task takes that commits all states of a close one after the other, in seconds.
    pub(crate) async fn close(&self, states: &Arc<Vec<Vec<u8>>>, id: &str) -> Result<f64> {
        let (commits, states, id) = (self.commits.clone(), Arc::clone(states), id.to_owned());
        let began = Instant::now();
        let task = async move {
            for (number, state) in states.iter().enumerate() {
                let (done, committed) = oneshot::channel();
                let closed = number + 1 == states.len();
                commits.send(Commit { state: state.clone(), id: id.clone(), closed, done })?;
                committed.await??;
            }
            anyhow::Ok(())
        };
        self.runtime.as_ref().context("the runtime has ended")?.spawn(task).await??;
        Ok(began.elapsed().as_secs_f64())
    }
}

/// A runtime can't be waited for where the load runs, which is in another one.
impl Drop for HandedOver {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
