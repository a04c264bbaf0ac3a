//! A store in one file.

mod caught;
mod current;
mod file;
mod tables;
mod trial;
mod writer;

pub use file::OpenError;

use crate::KEEP_CLOSED;
use ::redb::{Database, StorageBackend};
use current::{Attempt, Current};
use release_core::{MeshId, ReleaseKey};
use release_engine::{CreateError, Record, ReplaceError, Revision, Store, StoreError, Stored};
use std::future::{self, Future};
use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;
use tables::{Operation, ReadError, Refusal, Row, Snapshot};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use writer::{Answer, Job, Writer};

/// How long a store that is dropped waits for its disk. A slow one takes seconds for what is left to write; less than a
/// server's shutdown may take by default, so that its log has what is said then.
const CLOSE_LIMIT: Duration = Duration::from_secs(8);

/// A store in one file, for one process at a time.
///
/// What it answered is on disk, whatever happens to the process or the power afterwards. One thread writes; what many
/// callers ask for at the same time shares one transaction. Reading one record happens where it is asked for, out of memory
/// when it can: if not, that thread waits for the disk. [`list`](Store::list) and [`unclosed`](Store::unclosed) read on a
/// thread of tokio's for what blocks, where there is a runtime. Neither waits for a write.
///
/// After an error of the disk (it is full, say) the file is opened anew with the next operation, so that the store works
/// again as soon as the disk does.
///
/// **A backup** is a copy of the file while no process has it open, or a snapshot of the file system that is taken in one
/// moment. A copy that is made while the store is in use may be damaged; it is refused then.
///
/// A store that is dropped writes what it was asked for and closes its file. It waits for that for 8 seconds at most: a disk
/// may hang. What is left is done when the disk answers, and until then the file is in use.
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
    current: Arc<Current>,
    jobs: Option<Sender<Job>>,
    /// Says nothing, and ends when the writer has closed the file.
    closed: Mutex<Receiver<()>>,
}

/// What stands for the path of what a test gives.
const BACKEND: &str = "the backend";

/// How to open the database: at first, and after a failure.
type Opener = Box<dyn Fn() -> Result<Database, OpenError> + Send>;

impl RedbStore {
    /// Opens the file, and makes it if there is none. The newest [`KEEP_CLOSED`] closed tasks are kept.
    ///
    /// It reads the whole file to see whether it is intact, which takes the longer the more tasks are kept.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open_keeping(path, KEEP_CLOSED)
    }

    /// As [`open`](Self::open), and keeps that many closed tasks, the newest ones.
    pub fn open_keeping(path: impl AsRef<Path>, keep_closed: usize) -> Result<Self, OpenError> {
        let path = path.as_ref().to_owned();
        let database = file::open_or_create(&path)?;
        let again = path.clone();
        let store = Self::with(database, Box::new(move || file::open(&again)), keep_closed);
        store.map_err(|error| file::no_thread(&path, &error))
    }

    /// A store on something else than a file, for tests: `backend` is called twice each time the database is opened, for a
    /// trial and in earnest. There has to be a [store](Self::make_on_backend) on it. Without a cache of its own, it goes to
    /// the backend for whatever it reads.
    #[doc(hidden)]
    pub fn on_backend<B: StorageBackend>(
        backend: impl Fn() -> B + Send + 'static,
        keep_closed: usize,
        cached: bool,
    ) -> Result<Self, OpenError> {
        let path = Path::new(BACKEND);
        let cache_bytes = if cached { file::CACHE_BYTES } else { 0 };
        let opener = move || file::open_backend(path, cache_bytes, || Ok(backend()));
        let store = Self::with(opener()?, Box::new(opener), keep_closed);
        store.map_err(|error| file::no_thread(path, &error))
    }

    /// Makes an empty store on something else than a file, for tests.
    #[doc(hidden)]
    pub fn make_on_backend(backend: impl StorageBackend) -> Result<(), OpenError> {
        file::make(Path::new(BACKEND), backend)
    }

    fn with(database: Database, opener: Opener, keep_closed: usize) -> io::Result<Self> {
        let current = Arc::new(Current::new(database));
        let ((jobs, received), (until_closed, closed)) = (channel(), channel());
        let keep_closed = u64::try_from(keep_closed).unwrap_or(u64::MAX);
        let writer = Writer { current: Arc::clone(&current), opener, keep_closed };
        thread::Builder::new().name("release-store".into()).spawn(move || {
            writer.run(&received);
            drop(until_closed);
        })?;
        Ok(Self { current, jobs: Some(jobs), closed: Mutex::new(closed) })
    }

    async fn write(&self, operation: Operation) -> Answer {
        let (reply, answer) = oneshot::channel();
        self.ask(Job::Write(operation, reply))?;
        answer.await.map_err(|_| writer_ended())?
    }

    /// Reads, and if that fails once more after the file was opened anew.
    async fn read<T, F>(&self, attempt: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Attempt<T>>,
    {
        let failed = match attempt().await {
            Ok(found) => return Ok(found),
            Err(failed) => failed,
        };
        // Rare: in the future of every read there would be room for it.
        Box::pin(self.reopen(failed)).await?;
        attempt().await.map_err(|(error, _)| error.into())
    }

    /// Has the file opened anew, after something could not be read. Fails if that is of no use.
    async fn reopen(&self, failed: (ReadError, u64)) -> Result<(), StoreError> {
        let seen = match failed {
            (ReadError::Record(error), _) => return Err(error),
            (ReadError::File(error), seen) => {
                tracing::warn!(%error, "the store could not be read; it is opened anew");
                seen
            }
        };
        let (reply, reopened) = oneshot::channel();
        self.ask(Job::Reopen { seen, reply })?;
        reopened.await.map_err(|_| writer_ended())
    }

    /// Reads what may be much: on a thread that may block, if there is a runtime that has such.
    async fn read_much<T: Send + 'static>(
        &self,
        read: impl Fn(&Snapshot) -> Result<T, ReadError> + Clone + Send + Sync + 'static,
    ) -> Result<T, StoreError> {
        self.read(|| {
            let (current, read) = (Arc::clone(&self.current), read.clone());
            async move {
                let seen = current.attempts();
                let attempt = move || current.read(read);
                match Handle::try_current() {
                    Ok(runtime) => runtime.spawn_blocking(attempt).await.unwrap_or_else(|broken_off| {
                        Err((ReadError::File(StoreError::Failed(format!("reading broke off: {broken_off}"))), seen))
                    }),
                    Err(_) => attempt(),
                }
            }
        })
        .await
    }

    fn ask(&self, job: Job) -> Result<(), StoreError> {
        self.jobs.as_ref().and_then(|jobs| jobs.send(job).ok()).ok_or_else(writer_ended)
    }
}

/// Waits until everything that was asked for is written and the file is closed, but not for a disk that hangs.
impl Drop for RedbStore {
    fn drop(&mut self) {
        drop(self.jobs.take());
        let closed = self.closed.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Err(RecvTimeoutError::Timeout) = closed.recv_timeout(CLOSE_LIMIT) {
            tracing::warn!("the disk does not answer: the store's file is closed when it does");
        }
    }
}

impl Store for RedbStore {
    async fn create(&self, record: Record) -> Result<Revision, CreateError> {
        self.write(Operation::Create(Row::new(record)?)).await?.map_err(|refusal| match refusal {
            Refusal::Exists(error) => error.into(),
            Refusal::Lost => StoreError::Failed("a new record can't be lost".into()).into(),
            Refusal::Damaged(error) => error.into(),
        })
    }

    async fn load(&self, key: &ReleaseKey) -> Result<Option<Arc<Stored>>, StoreError> {
        self.read(|| future::ready(self.current.read(|snapshot| tables::load(snapshot, key)))).await
    }

    async fn replace(&self, record: Record, expected: Revision) -> Result<Revision, ReplaceError> {
        self.write(Operation::Replace(Row::new(record)?, expected)).await?.map_err(not_replaced)
    }

    async fn remove(&self, key: &ReleaseKey, expected: Revision) -> Result<(), ReplaceError> {
        self.write(Operation::Remove(key.clone(), expected)).await?.map(|_| ()).map_err(not_replaced)
    }

    async fn list(&self, mesh: &MeshId) -> Result<Vec<Arc<Stored>>, StoreError> {
        let mesh = mesh.clone();
        self.read_much(move |snapshot| tables::list(snapshot, &mesh)).await
    }

    async fn unclosed(&self) -> Result<Vec<ReleaseKey>, StoreError> {
        self.read_much(tables::unclosed).await
    }
}

fn not_replaced(refusal: Refusal) -> ReplaceError {
    match refusal {
        Refusal::Damaged(error) => error.into(),
        Refusal::Lost | Refusal::Exists(_) => ReplaceError::Lost,
    }
}

fn writer_ended() -> StoreError {
    StoreError::Failed("the store's writer has ended".into())
}
