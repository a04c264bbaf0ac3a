//! A real file that hangs or panics when told.

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};
use release_store::{OpenError, RedbStore};
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::ops::Bound;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long something may take that is awaited.
pub(crate) const LIMIT: Duration = Duration::from_mins(1);

/// What a test does to the file, and sees of it.
#[derive(Debug)]
pub(crate) struct Watch {
    path: PathBuf,
    /// Whoever has it lets every access wait.
    gate: Mutex<()>,
    /// The same for every opening.
    opening: Mutex<()>,
    /// How many accesses work before one panics, and how many after that before the next one does.
    panics_after: Mutex<VecDeque<u64>>,
    events: Mutex<Sender<Event>>,
}

/// What is seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Event {
    Opens,
    Closed,
}

impl Watch {
    pub(crate) fn new(path: PathBuf) -> (Arc<Self>, Receiver<Event>) {
        let (sender, events) = channel();
        let (gate, opening, panics_after) = (Mutex::default(), Mutex::default(), Mutex::default());
        (Arc::new(Self { path, gate, opening, panics_after, events: Mutex::new(sender) }), events)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A store on the file, which must be there.
    pub(crate) fn store(self: &Arc<Self>) -> Result<RedbStore, OpenError> {
        let watch = Arc::clone(self);
        RedbStore::on_backend(move || watch.open(), 10, true)
    }

    /// A store that keeps as good as nothing of the file in memory: who reads gets to the file.
    pub(crate) fn store_without_cache(self: &Arc<Self>) -> Result<RedbStore, OpenError> {
        let watch = Arc::clone(self);
        RedbStore::on_backend(move || watch.open(), 10, false)
    }

    /// Lets every access wait until what this returns is dropped.
    pub(crate) fn hang(&self) -> impl Sized + use<'_> {
        wait(&self.gate)
    }

    /// Lets every opening wait until what this returns is dropped.
    pub(crate) fn hang_when_opened(&self) -> impl Sized + use<'_> {
        wait(&self.opening)
    }

    /// Lets that many accesses work, and the one after that panic; and the same again for each number that follows.
    pub(crate) fn panic_after(&self, accesses: impl IntoIterator<Item = u64>) {
        *wait(&self.panics_after) = accesses.into_iter().collect();
    }

    /// How many times it was still to panic. It does not do so any more.
    pub(crate) fn calm_down(&self) -> usize {
        std::mem::take(&mut *wait(&self.panics_after)).len()
    }

    fn open(self: &Arc<Self>) -> Watched {
        self.tell(Event::Opens);
        drop(wait(&self.opening));
        let file = File::options().read(true).write(true).open(&self.path).unwrap();
        Watched { file: FileBackend::new(file).unwrap(), watch: Arc::clone(self) }
    }

    fn access(&self) {
        drop(wait(&self.gate));
        let mut panics_after = wait(&self.panics_after);
        match panics_after.front_mut() {
            None => {}
            Some(0) => {
                panics_after.pop_front();
                drop(panics_after);
                // A panic that is not printed.
                resume_unwind(Box::new("the test wants it"));
            }
            Some(left) => *left -= 1,
        }
    }

    fn tell(&self, event: Event) {
        // A test that has seen enough does not listen any more.
        let _ = wait(&self.events).send(event);
    }
}

fn wait<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug)]
pub(crate) struct Watched {
    file: FileBackend,
    watch: Arc<Watch>,
}

impl StorageBackend for Watched {
    fn len(&self) -> io::Result<u64> {
        self.watch.access();
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.watch.access();
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.watch.access();
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.watch.access();
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.watch.access();
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        let closed = self.file.close();
        self.watch.tell(Event::Closed);
        closed
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}
