//! The database, which comes and goes.

use super::tables::ReadError;
use redb::{Database, ReadTransaction, ReadableDatabase};
use release_engine::StoreError;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The database, if it works. What is under the lock never waits for the opening of a file, nor for a read of much: those
/// who ask for something meanwhile are threads of a runtime.
pub(super) struct Current(RwLock<State>);

struct State {
    /// The database, or why there is none.
    database: Result<Database, StoreError>,
    /// How many times it was opened anew, or that was tried.
    attempts: u64,
}

impl Current {
    pub(super) fn new(database: Database) -> Self {
        Self(RwLock::new(State { database: Ok(database), attempts: 0 }))
    }

    /// Reads what was committed. What it reads fails if the database is closed meanwhile.
    pub(super) fn read<T>(&self, read: impl FnOnce(&ReadTransaction) -> Result<T, ReadError>) -> Attempt<T> {
        let (seen, txn) = {
            let state = self.shared();
            let begun = state.database.as_ref().map_err(|reason| ReadError::File(reason.clone()));
            (state.attempts, begun.and_then(|database| Ok(database.begin_read()?)))
        };
        txn.and_then(|txn| read(&txn)).map_err(|error| (error, seen))
    }

    /// Does something with the database, which is not closed before that ends. Only for the one thread that closes it:
    /// others would wait behind it.
    pub(super) fn with<T>(&self, what: impl FnOnce(&Database) -> T) -> Result<T, StoreError> {
        self.shared().database.as_ref().map(what).map_err(Clone::clone)
    }

    /// Whether there is no database.
    pub(super) fn is_closed(&self) -> bool {
        self.shared().database.is_err()
    }

    /// How many times it was opened anew, or that was tried.
    pub(super) fn attempts(&self) -> u64 {
        self.shared().attempts
    }

    /// Closes the database, if there is one. It returns when the file is closed.
    pub(super) fn close(&self, reason: &str) {
        let reason = Err(StoreError::Failed(reason.into()));
        let database = std::mem::replace(&mut self.exclusive().database, reason);
        // Outside of the lock: it writes to the file.
        drop(database);
    }

    /// Puts in what came of opening it anew.
    pub(super) fn put(&self, database: Result<Database, StoreError>) {
        let mut state = self.exclusive();
        state.database = database;
        state.attempts += 1;
    }

    /// A panic elsewhere does not spoil it: what the lock guards is always whole.
    fn shared(&self) -> RwLockReadGuard<'_, State> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn exclusive(&self) -> RwLockWriteGuard<'_, State> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was read, or why not, with the number of [attempts](Current::attempts) to open the file before that.
pub(super) type Attempt<T> = Result<T, (ReadError, u64)>;
