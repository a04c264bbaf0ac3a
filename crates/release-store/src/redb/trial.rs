//! A file that is read and never written: what is written to it stays in memory.

use redb::{BackendError, StorageBackend};
use std::io;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A file, and the few changes that opening a database makes to it. Opening may repair, and a repair that fails half-way
/// has overwritten what a person might have saved: so it is tried on this first.
#[derive(Debug)]
pub(super) struct Trial<B> {
    file: B,
    changes: Mutex<Changes>,
}

#[derive(Debug)]
struct Changes {
    /// How many bytes at the beginning of the file are still its own.
    of_file: u64,
    length: u64,
    writes: Vec<(u64, Vec<u8>)>,
}

impl<B: StorageBackend> Trial<B> {
    pub(super) fn new(file: B) -> io::Result<Self> {
        let length = file.len()?;
        let changes = Changes { of_file: length, length, writes: Vec::new() };
        Ok(Self { file, changes: Mutex::new(changes) })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.changes().length == 0
    }

    fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B: StorageBackend> StorageBackend for Trial<B> {
    fn len(&self) -> io::Result<u64> {
        Ok(self.changes().length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let changes = self.changes();
        if offset.saturating_add(out.len() as u64) > changes.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        out.fill(0);
        let there = out.len().min(to_usize(changes.of_file.saturating_sub(offset)));
        if let Some(there) = out.get_mut(..there).filter(|there| !there.is_empty()) {
            self.file.read(offset, there)?;
        }
        for (at, bytes) in &changes.writes {
            copy_overlap(*at, bytes, offset, out);
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut changes = self.changes();
        changes.of_file = changes.of_file.min(len);
        changes.length = len;
        for (at, bytes) in &mut changes.writes {
            bytes.truncate(to_usize(len.saturating_sub(*at)));
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut changes = self.changes();
        changes.length = changes.length.max(offset.saturating_add(data.len() as u64));
        changes.writes.push((offset, data.to_vec()));
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
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

/// Copies the bytes that stand at `at` to where they belong in `out`, which stands at `offset`.
fn copy_overlap(at: u64, bytes: &[u8], offset: u64, out: &mut [u8]) {
    let from = bytes.get(to_usize(offset.saturating_sub(at))..).unwrap_or_default();
    let to = out.get_mut(to_usize(at.saturating_sub(offset))..).unwrap_or_default();
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use redb::backends::FileBackend;

    #[test]
    fn it_reads_what_was_written_and_leaves_the_file_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let mut model: Vec<u8> = (0..=255).collect();
        std::fs::write(&path, &model).unwrap();
        let file = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let trial = Trial::new(FileBackend::new(file).unwrap()).unwrap();
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..2000 {
            let at = rng.usize(0..=model.len());
            match rng.u8(0..10) {
                0 => {
                    model.resize(at + 100, 0);
                    trial.set_len(model.len() as u64).unwrap();
                }
                1..5 => {
                    let data = vec![rng.u8(..); rng.usize(0..40)];
                    model.resize(model.len().max(at + data.len()), 0);
                    model[at..at + data.len()].copy_from_slice(&data);
                    trial.write(at as u64, &data).unwrap();
                }
                _ => {
                    let mut out = vec![1; rng.usize(0..60)];
                    let read = trial.read(at as u64, &mut out);
                    assert_eq!(read.is_ok().then_some(out.as_slice()), model.get(at..at + out.len()));
                }
            }
            assert_eq!(trial.len().unwrap(), model.len() as u64);
        }
        assert_eq!(std::fs::read(&path).unwrap(), (0..=255).collect::<Vec<u8>>());
    }
}
