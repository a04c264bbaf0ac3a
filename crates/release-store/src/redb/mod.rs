//! A store in one file.

mod file;
mod lock;
mod tables;
mod trial;
mod writer;

pub use file::OpenError;

use crate::KEEP_CLOSED;
use ::redb::{Database, ReadTransaction, ReadableDatabase, StorageBackend};
use release_core::{MeshId, ReleaseKey};
use release_engine::{CreateError, Record, ReplaceError, Revision, Store, StoreError, Stored};
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, RwLock};
use std::thread::{self, JoinHandle};
use tables::{Operation, ReadError, Refusal, Row};
use tokio::sync::oneshot;
use writer::{Answer, Current, Job, Writer};

/// A store in one file, for one process at a time.
///
/// What it answered is on disk, whatever happens to the process or the power afterwards. One thread writes; what many
/// callers ask for at the same time shares one transaction. Reading happens where it is asked for, out of memory when it
/// can, and never waits for a write.
///
/// After an error of the disk (it is full, say) the file is opened anew with the next operation, so that the store works
/// again as soon as the disk does.
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("releases.redb");
/// use release_store::{OpenError, RedbStore};
///
/// let store = RedbStore::open(&path)?;
/// assert!(matches!(RedbStore::open(&path), Err(OpenError::InUse { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RedbStore {
    database: Current,
    jobs: Option<Sender<Job>>,
    writer: Option<JoinHandle<()>>,
}

/// How to open the database: at first, and after a failure.
type Opener = Box<dyn Fn() -> Result<Database, OpenError> + Send>;

impl RedbStore {
    /// Opens the file, and makes it if there is none. The newest [`KEEP_CLOSED`] closed tasks are kept.
    ///
    /// It reads the whole file to see whether it is intact: some 20 ms for 10,000 tasks.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open_keeping(path, KEEP_CLOSED)
    }

    /// As [`open`](Self::open), and keeps that many closed tasks, the newest ones.
    pub fn open_keeping(path: impl AsRef<Path>, keep_closed: usize) -> Result<Self, OpenError> {
        let path = path.as_ref().to_owned();
        let database = file::open_or_create(&path)?;
        Self::with(database, Box::new(move || file::open(&path)), keep_closed)
    }

    /// A store on something else than a file, for tests: `backend` is called each time the database is opened.
    #[doc(hidden)]
    pub fn on_backend<B: StorageBackend>(
        backend: impl Fn() -> B + Send + 'static,
        keep_closed: usize,
    ) -> Result<Self, OpenError> {
        let opener = move || file::open_backend(backend());
        Self::with(opener()?, Box::new(opener), keep_closed)
    }

    fn with(database: Database, opener: Opener, keep_closed: usize) -> Result<Self, OpenError> {
        let database: Current = Arc::new(RwLock::new(Some(database)));
        let (jobs, received) = channel();
        let keep_closed = u64::try_from(keep_closed).unwrap_or(u64::MAX);
        let writer = Writer { database: Arc::clone(&database), opener, keep_closed };
        let writer = thread::Builder::new()
            .name("release-store".into())
            .spawn(move || writer.run(&received))
            .map_err(|error| OpenError::Io { path: "the writer's thread".into(), error })?;
        Ok(Self { database, jobs: Some(jobs), writer: Some(writer) })
    }

    async fn write(&self, operation: Operation) -> Answer {
        let (reply, answer) = oneshot::channel();
        self.ask(Job::Write(operation, reply))?;
        answer.await.map_err(|_| writer_ended())?
    }

    /// Reads, and if that fails once more after the file was opened anew.
    async fn read<T>(&self, read: impl Fn(&ReadTransaction) -> Result<T, ReadError>) -> Result<T, StoreError> {
        match self.try_read(&read) {
            Ok(found) => return Ok(found),
            Err(ReadError::Record(error)) => return Err(error),
            Err(ReadError::File(error)) => tracing::warn!(%error, "the store could not be read; it is opened anew"),
        }
        let (reply, reopened) = oneshot::channel();
        self.ask(Job::Reopen(reply))?;
        reopened.await.map_err(|_| writer_ended())??;
        self.try_read(&read).map_err(|error| match error {
            ReadError::Record(error) => error,
            ReadError::File(error) => StoreError::Failed(error.to_string()),
        })
    }

    fn try_read<T>(&self, read: impl Fn(&ReadTransaction) -> Result<T, ReadError>) -> Result<T, ReadError> {
        match &*lock::read(&self.database) {
            Some(database) => read(&database.begin_read()?),
            None => Err(ReadError::File(::redb::Error::DatabaseClosed)),
        }
    }

    fn ask(&self, job: Job) -> Result<(), StoreError> {
        self.jobs.as_ref().and_then(|jobs| jobs.send(job).ok()).ok_or_else(writer_ended)
    }
}

/// Waits until everything that was asked for is written and the file is closed.
impl Drop for RedbStore {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(writer) = self.writer.take() {
            // A panic of the writer has been reported where it happened.
            let _ = writer.join();
        }
    }
}

impl Store for RedbStore {
    async fn create(&self, record: Record) -> Result<Revision, CreateError> {
        self.write(Operation::Create(Row::new(record)?)).await?.map_err(|refusal| match refusal {
            Refusal::Exists(error) => error.into(),
            Refusal::Lost => StoreError::Failed("a new record can't be lost".into()).into(),
        })
    }

    async fn load(&self, key: &ReleaseKey) -> Result<Option<Stored>, StoreError> {
        self.read(|txn| tables::load(txn, key)).await
    }

    async fn replace(&self, record: Record, expected: Revision) -> Result<Revision, ReplaceError> {
        let answer = self.write(Operation::Replace(Row::new(record)?, expected)).await?;
        answer.map_err(|_| ReplaceError::Lost)
    }

    async fn remove(&self, key: &ReleaseKey, expected: Revision) -> Result<(), ReplaceError> {
        let answer = self.write(Operation::Remove(key.clone(), expected)).await?;
        answer.map(|_| ()).map_err(|_| ReplaceError::Lost)
    }

    async fn list(&self, mesh: &MeshId) -> Result<Vec<Stored>, StoreError> {
        self.read(|txn| tables::list(txn, mesh)).await
    }

    async fn unclosed(&self) -> Result<Vec<ReleaseKey>, StoreError> {
        self.read(tables::unclosed).await
    }
}

fn writer_ended() -> StoreError {
    StoreError::Failed("the store's writer has ended".into())
}
