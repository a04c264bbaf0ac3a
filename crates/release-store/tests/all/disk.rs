//! A disk in memory that can fail and lose power.

use redb::{BackendError, StorageBackend};
use release_store::RedbStore;
use release_testkit::conformance::store::Disk;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

/// A disk with one file. Clones are the same file.
#[derive(Clone, Debug, Default)]
pub(crate) struct SimulatedDisk {
    file: Arc<Mutex<State>>,
    /// How many accesses work before all fail.
    left: Arc<Mutex<Option<u64>>>,
    /// Whether a sync is answered before it is done, which it is by the time of the next one.
    hasty: bool,
}

#[derive(Debug, Default)]
struct State {
    /// What a power cut leaves for sure.
    durable: Vec<u8>,
    /// What is read.
    current: Vec<u8>,
    /// What came to `current` since the last sync.
    unsynced: Vec<Write>,
    /// How many of these were there already at the last sync.
    asked: usize,
    syncs: u64,
}

#[derive(Clone, Debug)]
enum Write {
    Bytes(usize, Vec<u8>),
    Length(usize),
}

/// The unit in which a power cut takes a part of a write.
const SECTOR: usize = 512;

impl Write {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Length(length) => to.resize(*length, 0),
            Self::Bytes(at, bytes) => {
                let end = at + bytes.len();
                to.resize(to.len().max(end), 0);
                to[*at..end].copy_from_slice(bytes);
            }
        }
    }

    /// The parts that a power cut keeps or loses on their own.
    fn sectors(&self) -> Vec<Self> {
        match self {
            Self::Length(_) => vec![self.clone()],
            Self::Bytes(at, bytes) => {
                let pieces = bytes.chunks(SECTOR).enumerate();
                pieces.map(|(number, piece)| Self::Bytes(at + number * SECTOR, piece.to_vec())).collect()
            }
        }
    }
}

impl SimulatedDisk {
    /// A disk that answers a sync before it is done.
    pub(crate) fn hasty() -> Self {
        Self { hasty: true, ..Self::default() }
    }

    fn access(&self) -> Result<MutexGuard<'_, State>, BackendError> {
        match &mut *self.left.lock().unwrap() {
            None => {}
            Some(0) => {
                return Err(io::Error::new(io::ErrorKind::StorageFull, "no space left on the simulated disk").into());
            }
            Some(left) => *left -= 1,
        }
        Ok(self.file.lock().unwrap())
    }

    /// Makes a store beside the file, and gives it the file's name when it is complete.
    fn publish_empty(&self) -> Result<(), String> {
        let beside = Self { file: Arc::default(), ..self.clone() };
        RedbStore::make_on_backend(beside.clone()).map_err(|error| error.to_string())?;
        let mut file = self.access().map_err(|error| error.to_string())?;
        *file = std::mem::take(&mut beside.file.lock().unwrap());
        Ok(())
    }

    /// Lets every access wait until what this returns is dropped.
    pub(crate) fn pause(&self) -> impl Sized + '_ {
        self.file.lock().unwrap()
    }

    /// How many syncs there were.
    pub(crate) fn syncs(&self) -> u64 {
        self.file.lock().unwrap().syncs
    }
}

impl StorageBackend for SimulatedDisk {
    fn len(&self) -> Result<u64, io::Error> {
        Ok(self.access()?.current.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        let state = self.access()?;
        let at = usize::try_from(offset).unwrap();
        let found = state.current.get(at..at + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(found);
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        let mut state = self.access()?;
        let write = Write::Length(usize::try_from(len).unwrap());
        write.apply(&mut state.current);
        state.unsynced.push(write);
        Ok(())
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        let mut state = self.access()?;
        state.syncs += 1;
        let State { durable, unsynced, asked, .. } = &mut *state;
        let done = if self.hasty { *asked } else { unsynced.len() };
        unsynced.drain(..done).for_each(|write| write.apply(durable));
        *asked = unsynced.len();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        let mut state = self.access()?;
        let write = Write::Bytes(usize::try_from(offset).unwrap(), data.to_vec());
        write.apply(&mut state.current);
        state.unsynced.push(write);
        Ok(())
    }
}

impl Disk for SimulatedDisk {
    type Store = RedbStore;

    fn open(&self) -> Result<RedbStore, String> {
        if self.file.lock().unwrap().current.is_empty() {
            self.publish_empty()?;
        }
        let disk = self.clone();
        RedbStore::on_backend(move || disk.clone(), 2, true).map_err(|error| error.to_string())
    }

    fn fail_after(&self, accesses: Option<u64>) {
        *self.left.lock().unwrap() = accesses;
    }

    fn cut(&self, seed: u64) {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut state = self.file.lock().unwrap();
        // Sometimes all or nothing arrived, sometimes any part.
        let kept = [0, 50, 100][rng.usize(0..3)];
        for sector in std::mem::take(&mut state.unsynced).iter().flat_map(Write::sectors) {
            if rng.u8(0..100) < kept {
                sector.apply(&mut state.durable);
            }
        }
        let State { current, durable, asked, .. } = &mut *state;
        current.clone_from(durable);
        *asked = 0;
    }
}
