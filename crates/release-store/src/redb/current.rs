//! The database, which comes and goes.

use super::tables::{ReadError, Snapshot};
use redb::Database;
use release_engine::StoreError;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The database, if it works. What is under the lock never waits for the opening of a file, nor for a read of much: those
/// who ask for something meanwhile are threads of a runtime.
pub(super) struct Current(RwLock<State>);

struct State {
    /// What was committed last, open to be read: to open it for each record costs more than to read one. Without it, who
    /// reads opens it.
    newest: Option<Arc<Snapshot>>,
    /// The database, or why there is none.
    database: Result<Database, StoreError>,
    /// How many times it was opened anew, or that was tried.
    attempts: u64,
}

impl Current {
    pub(super) fn new(database: Database) -> Self {
        let newest = Snapshot::of(&database).ok().map(Arc::new);
        Self(RwLock::new(State { newest, database: Ok(database), attempts: 0 }))
    }

    /// Reads what was committed. What it reads fails if the database is closed meanwhile.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Snapshot) -> Result<T, ReadError>) -> Attempt<T> {
        let (seen, snapshot) = {
            let state = self.shared();
            let snapshot = match (&state.database, &state.newest) {
                (Err(reason), _) => Err(ReadError::File(reason.clone())),
                (Ok(_), Some(newest)) => Ok(Arc::clone(newest)),
                (Ok(database), None) => Snapshot::of(database).map(Arc::new),
            };
            (state.attempts, snapshot)
        };
        snapshot.and_then(|snapshot| read(&snapshot)).map_err(|error| (error, seen))
    }

    /// Changes the database, which is not closed before that ends. Who reads after that reads what was changed. Only for the
    /// one thread that closes it: others would wait behind it.
    pub(super) fn change<T>(&self, change: impl FnOnce(&Database) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let (changed, newest) = {
            let state = self.shared();
            let database = state.database.as_ref().map_err(Clone::clone)?;
            (change(database), Snapshot::of(database).ok().map(Arc::new))
        };
        let before = std::mem::replace(&mut self.exclusive().newest, newest);
        // Outside of the lock, in case it is the last one that has it.
        drop(before);
        changed
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
        let (newest, database) = {
            let mut state = self.exclusive();
            (state.newest.take(), std::mem::replace(&mut state.database, reason))
        };
        // Outside of the lock: it writes to the file.
        drop(newest);
        drop(database);
    }

    /// Puts in what came of opening it anew.
    pub(super) fn put(&self, database: Result<Database, StoreError>) {
        let newest = database.as_ref().ok().and_then(|database| Snapshot::of(database).ok()).map(Arc::new);
        let mut state = self.exclusive();
        (state.newest, state.database) = (newest, database);
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
