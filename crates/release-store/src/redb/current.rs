//! The database, which comes and goes. All that is done with it is done here, and none of it panics.

use super::caught::caught;
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
        let newest = newest(&database).ok();
        Self(RwLock::new(State { newest, database: Ok(database), attempts: 0 }))
    }

    /// Reads what was committed. What it reads fails if the database is closed meanwhile.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Snapshot) -> Result<T, ReadError>) -> Attempt<T> {
        let (seen, snapshot) = {
            let state = self.shared();
            let snapshot = match (&state.database, &state.newest) {
                (Err(reason), _) => Err(ReadError::File(reason.clone())),
                (Ok(_), Some(newest)) => Ok(Arc::clone(newest)),
                (Ok(database), None) => newest(database),
            };
            (state.attempts, snapshot)
        };
        let found = snapshot.and_then(|snapshot| {
            let found = caught(|| read(&snapshot));
            let_go(snapshot);
            found
        });
        found.map_err(|error| (error, seen))
    }

    /// Changes the database, which is not closed before that ends. Who reads after that reads what was changed; after a
    /// failure the database wants to be opened anew. Only for the one thread that closes it: others would wait behind it.
    pub(super) fn change<T>(&self, change: impl FnOnce(&Database) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let (changed, newest) = {
            let state = self.shared();
            let database = state.database.as_ref().map_err(Clone::clone)?;
            (caught(|| change(database))?, newest(database).ok())
        };
        let before = std::mem::replace(&mut self.exclusive().newest, newest);
        // Outside of the lock, in case it is the last one that has it.
        let_go(before);
        Ok(changed)
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
        let_go(newest);
        let_go(database);
    }

    /// Opens the file anew. Those who read meanwhile are not in the way, and are told if they don't wait for it.
    pub(super) fn reopen(&self, open: impl FnOnce() -> Result<Database, StoreError>) {
        // First closed, then opened: the file is for one at a time.
        self.close("its file is being opened anew");
        let database = caught(open);
        if let Err(error) = &database {
            tracing::error!(%error, "the store can't be opened again; it is tried with the next operation");
        }
        let newest = database.as_ref().ok().and_then(|database| newest(database).ok());
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

/// What was committed last.
fn newest(database: &Database) -> Result<Arc<Snapshot>, ReadError> {
    caught(|| Snapshot::of(database).map(Arc::new))
}

/// Drops a part of the database, each on its own: a database that has panicked does it again when it is closed, after which
/// its file is closed, too; and a second panic on the way of another one would end the process.
fn let_go<T>(part: T) {
    let gone: Result<(), StoreError> = caught(|| {
        drop(part);
        Ok(())
    });
    if let Err(error) = gone {
        tracing::error!(%error, "the store was not closed in order");
    }
}
