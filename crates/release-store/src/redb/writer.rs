//! One thread that writes: what comes in while it syncs is written together, with the next sync.

use super::Opener;
use super::current::Current;
use super::tables::{Operation, Refusal, Tables};
use redb::Database;
use release_engine::{Revision, StoreError};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use tokio::sync::oneshot;

/// The most operations in one transaction.
const BATCH: usize = 512;

/// What the thread is asked for.
pub(super) enum Job {
    /// Write something; the answer comes when it is on disk.
    Write(Operation, oneshot::Sender<Answer>),
    /// Something could not be read: open the file anew, unless that was tried since.
    Reopen {
        /// How many [attempts](Current::attempts) there were before it was read.
        seen: u64,
        reply: oneshot::Sender<()>,
    },
}

/// What came of a write.
pub(super) type Answer = Result<Result<Revision, Refusal>, StoreError>;

pub(super) struct Writer {
    pub(super) current: Arc<Current>,
    pub(super) opener: Opener,
    pub(super) keep_closed: u64,
}

impl Writer {
    /// Writes until nobody can ask for anything any more, and closes the file.
    pub(super) fn run(self, jobs: &Receiver<Job>) {
        while let Ok(first) = jobs.recv() {
            let mut batch = Vec::new();
            for job in std::iter::once(first).chain(jobs.try_iter()) {
                match job {
                    Job::Write(operation, reply) => batch.push((operation, reply)),
                    Job::Reopen { seen, reply } => {
                        if self.current.attempts() == seen {
                            self.reopen();
                        }
                        // A caller that went away does not want its answer.
                        let _ = reply.send(());
                    }
                }
                if batch.len() == BATCH {
                    break;
                }
            }
            if !batch.is_empty() {
                self.write(batch);
            }
        }
        self.current.close("the store is closed");
    }

    fn write(&self, batch: Vec<(Operation, oneshot::Sender<Answer>)>) {
        let operations = batch.iter().map(|(operation, _)| operation);
        match self.commit(operations) {
            Ok(answers) => {
                for ((_, reply), answer) in batch.into_iter().zip(answers) {
                    drop(reply.send(Ok(answer)));
                }
            }
            Err(error) => {
                for (_, reply) in batch {
                    drop(reply.send(Err(error.clone())));
                }
            }
        }
    }

    /// Writes a batch: all of it, or nothing.
    fn commit<'a>(
        &self,
        operations: impl Iterator<Item = &'a Operation>,
    ) -> Result<Vec<Result<Revision, Refusal>>, StoreError> {
        if self.current.is_closed() {
            self.reopen();
        }
        let written = self.current.change(|database| {
            transaction(database, operations, self.keep_closed).map_err(|error| StoreError::Failed(error.to_string()))
        });
        // After a failed write the database wants to be opened anew: what stands in the file decides.
        if written.is_err() && !self.current.is_closed() {
            self.reopen();
        }
        written
    }

    fn reopen(&self) {
        self.current.reopen(|| (self.opener)().map_err(|error| StoreError::Failed(error.to_string())));
    }
}

fn transaction<'a>(
    database: &Database,
    operations: impl Iterator<Item = &'a Operation>,
    keep_closed: u64,
) -> Result<Vec<Result<Revision, Refusal>>, redb::Error> {
    let mut txn = database.begin_write()?;
    // A second sync, so that a file whose newest transaction is unreadable is known to be damaged: with one sync it would
    // pass for a write that was cut off, and be undone although it was answered.
    txn.set_two_phase_commit(true);
    let mut tables = Tables::open(&txn, keep_closed)?;
    let answers: Vec<_> = operations.map(|operation| tables.apply(operation)).collect::<Result<_, _>>()?;
    drop(tables);
    if answers.iter().any(Result::is_ok) {
        txn.commit()?;
    } else {
        txn.abort()?;
    }
    Ok(answers)
}
